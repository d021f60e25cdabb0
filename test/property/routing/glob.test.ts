import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { globCovers, globMatches, globsOverlap, parseGlob } from "../../../src/routing/glob.ts";

const globText = fc.string({ unit: fc.constantFrom("a", "b", "*"), maxLength: 6 });
const subject = fc.string({ unit: fc.constantFrom("a", "b"), maxLength: 10 });

/** What a glob means, as slowly and plainly as possible. */
function means(glob: string, text: string): boolean {
  if (glob === "") return text === "";
  const [first, rest] = [glob[0], glob.slice(1)];
  if (first !== "*") return text[0] === first && means(rest, text.slice(1));
  return means(rest, text) || (text !== "" && means(glob, text.slice(1)));
}

/** All texts over an alphabet with one character that no glob here has. */
const universe: readonly string[] = (() => {
  let texts = [""];
  const all = [""];
  for (let length = 1; length <= 6; length++) {
    texts = texts.flatMap((text) => ["a", "b", "c"].map((character) => text + character));
    all.push(...texts);
  }
  return all;
})();

test("a glob matches what its meaning says", () => {
  fc.assert(
    fc.property(globText, subject, (glob, text) => globMatches(parseGlob(glob), text) === means(glob, text)),
    {
      numRuns: 3000,
    },
  );
});

test("one glob covers another exactly where every text of a small universe says so", () => {
  const shortGlob = fc.string({ unit: fc.constantFrom("a", "b", "*", "*"), maxLength: 4 });
  fc.assert(
    fc.property(shortGlob, shortGlob, (a, b) => {
      const [wide, narrow] = [parseGlob(a), parseGlob(b)];
      const isContained = universe.every((text) => !globMatches(narrow, text) || globMatches(wide, text));
      assert.equal(globCovers(wide, narrow), isContained, `${a} over ${b}`);
    }),
    { numRuns: 1500 },
  );
});

test("covering is reflexive and transitive", () => {
  fc.assert(
    fc.property(globText, globText, globText, (...texts) => {
      const [a, b, c] = texts.map(parseGlob);
      assert.ok(a !== undefined && b !== undefined && c !== undefined);
      assert.equal(globCovers(a, a), true);
      if (globCovers(a, b) && globCovers(b, c)) assert.equal(globCovers(a, c), true);
    }),
  );
});

test("a glob made to go back and back is done with at once", () => {
  const glob = parseGlob(`${"a*".repeat(150)}b`);
  const before = performance.now();
  for (let run = 0; run < 1000; run++) assert.equal(globMatches(glob, "a".repeat(300)), false);
  // A backtracking matcher would need longer than the universe has; this one takes milliseconds.
  assert.ok(performance.now() - before < 5000);
});

test("two globs overlap exactly where a text of a small universe fits both", () => {
  const shortGlob = fc.string({ unit: fc.constantFrom("a", "b", "*", "*"), maxLength: 4 });
  fc.assert(
    fc.property(shortGlob, shortGlob, (a, b) => {
      const common = universe.some((text) => means(a, text) && means(b, text));
      return globsOverlap(parseGlob(a), parseGlob(b)) === common;
    }),
    { numRuns: 1000 },
  );
});
