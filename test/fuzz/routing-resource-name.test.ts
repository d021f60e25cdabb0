import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { KeyServiceError } from "../../src/core/errors.ts";
import { matches, PatternError, parsePattern } from "../../src/routing/pattern.ts";
import { type CryptoKeyName, parseCryptoKeyName } from "../../src/routing/resource-name.ts";

// FUZZ_SEED and FUZZ_RUNS repeat or prolong a run.
const seed = Number(process.env["FUZZ_SEED"] ?? Date.now() % 2 ** 31);
const numRuns = Number(process.env["FUZZ_RUNS"] ?? 5000);

const KEY = "projects/example.com:my-project/locations/europe-west1/keyRings/ring/cryptoKeys/key";

const nasty = fc.constantFrom(
  "..",
  "%2e",
  "%2F",
  "?x=1",
  "#",
  "\n",
  "\0",
  "\\",
  ":",
  "@",
  "//",
  "*",
  "-",
  " ",
  "K",
  ";",
  "\u202e",
);
const anyText = fc.oneof(
  fc.string({ unit: "binary" }),
  fc.uint8Array().map((bytes) => Buffer.from(bytes).toString("latin1")),
  nasty,
);

/** A good name with some of it cut out and something else put there. */
const mutated = fc
  .tuple(fc.nat(KEY.length), fc.nat(6), anyText)
  .map(([at, cut, insert]) => KEY.slice(0, at) + insert + KEY.slice(at + cut));
const assembled = fc
  .tuple(anyText, anyText, anyText, anyText)
  .map(([p, l, r, k]) => `projects/${p}/locations/${l}/keyRings/${r}/cryptoKeys/${k}`);
const input = fc.oneof(mutated, assembled, anyText);

function tryName(text: string): CryptoKeyName | undefined {
  try {
    return parseCryptoKeyName(text);
  } catch (error) {
    assert.ok(error instanceof KeyServiceError, String(error));
    assert.equal(error.code, "key_name_invalid");
    assert.doesNotMatch(error.message.replaceAll("\n", ""), /[\p{Cc}\p{Cf}\u2028\u2029]/u);
    return undefined;
  }
}

test("whatever is accepted as a name survives a URL unchanged, and all else is refused politely", (t) => {
  t.diagnostic(`FUZZ_SEED=${seed}`);
  let accepted = 0;
  fc.assert(
    fc.property(input, (text) => {
      const name = tryName(text);
      if (name === undefined) return;
      accepted += 1;
      assert.equal(new URL(`https://h/v1/${name}:decrypt`).pathname, `/v1/${text}:decrypt`);
      assert.equal(encodeURI(name), name);
      assert.equal(matches(parsePattern(name), name), true);
    }),
    { seed, numRuns, endOnFailure: true },
  );
  t.diagnostic(`${accepted} of ${numRuns} accepted`);
  assert.ok(accepted > 0, "the inputs never came near a valid name");
});

test("whatever is given as a pattern is a pattern or a PatternError that does not repeat it", (t) => {
  t.diagnostic(`FUZZ_SEED=${seed}`);
  const key = parseCryptoKeyName(KEY);
  fc.assert(
    fc.property(input, (text) => {
      try {
        matches(parsePattern(text), key);
      } catch (error) {
        assert.ok(error instanceof PatternError, String(error));
        assert.match(error.message, /^[\x20-\x7e]+$/);
      }
    }),
    { seed, numRuns, endOnFailure: true },
  );
});
