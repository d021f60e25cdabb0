import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { covers, matches, type Pattern, parsePattern } from "../../../src/routing/pattern.ts";
import { type CryptoKeyName, parseCryptoKeyName } from "../../../src/routing/resource-name.ts";
import { createRouter, findUnreachable } from "../../../src/routing/router.ts";

const id = fc.string({ unit: fc.constantFrom("a", "b"), minLength: 1, maxLength: 3 });
const globId = fc.string({ unit: fc.constantFrom("a", "b", "*"), minLength: 1, maxLength: 3 });

const toName = ([p, l, r, k]: readonly [string, string, string, string]) =>
  `projects/${p}/locations/${l}/keyRings/${r}/cryptoKeys/${k}`;
const key: fc.Arbitrary<CryptoKeyName> = fc.tuple(id, id, id, id).map((ids) => parseCryptoKeyName(toName(ids)));
const pattern: fc.Arbitrary<Pattern> = fc.tuple(globId, globId, globId, globId).map((ids) => parsePattern(toName(ids)));

test("what covers a pattern matches every key that the pattern matches", () => {
  fc.assert(
    fc.property(pattern, pattern, key, (a, b, name) => {
      if (covers(a, b) && matches(b, name)) assert.equal(matches(a, name), true);
    }),
    { numRuns: 2000 },
  );
});

test("a key's own name is a pattern for that key alone", () => {
  fc.assert(
    fc.property(key, key, (name, other) => {
      assert.equal(matches(parsePattern(name), other), name === other);
    }),
  );
});

test("the route of a key is the first rule that matches it, and never an unreachable one", () => {
  fc.assert(
    fc.property(fc.array(pattern, { maxLength: 6 }), key, (patterns, name) => {
      const rules = patterns.map(({ text }, index) => ({ name: `rule-${index}`, match: text }));
      const expected = rules[patterns.findIndex((each) => matches(each, name))];
      const router = createRouter(rules);
      assert.equal(router.route(name), expected);
      const unreachable = new Set(findUnreachable(rules).map(({ index }) => rules[index]));
      if (expected !== undefined) assert.equal(unreachable.has(expected), false);
      assert.equal(
        router.trace(name).filter(({ mismatch }) => mismatch === undefined).length,
        expected === undefined ? 0 : 1,
      );
    }),
  );
});
