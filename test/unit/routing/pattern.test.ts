import assert from "node:assert/strict";
import { test } from "node:test";
import { covers, findMismatch, matches, PatternError, parsePattern } from "../../../src/routing/pattern.ts";
import { parseCryptoKeyName } from "../../../src/routing/resource-name.ts";

const KEY = parseCryptoKeyName("projects/team-a-prod/locations/europe-west1/keyRings/sops/cryptoKeys/app-1");

const matching = [
  "projects/*/locations/*/keyRings/*/cryptoKeys/*",
  "projects/team-a-prod/locations/europe-west1/keyRings/sops/cryptoKeys/app-1",
  "projects/team-a-*/locations/europe-*/keyRings/sops*/cryptoKeys/*-1",
  "projects/*-a-*/locations/*w*st*/keyRings/**/cryptoKeys/a*p-*1",
];

const missing: readonly (readonly [pattern: string, mismatch: number])[] = [
  ["projects/team-b-*/locations/*/keyRings/*/cryptoKeys/*", 0],
  ["projects/team-a/locations/*/keyRings/*/cryptoKeys/*", 0],
  ["projects/*/locations/us-*/keyRings/*/cryptoKeys/*", 1],
  ["projects/*/locations/*/keyRings/*ops-*/cryptoKeys/*", 2],
  ["projects/*/locations/*/keyRings/*/cryptoKeys/app-1*1", 3],
  ["projects/*/locations/*/keyRings/*/cryptoKeys/App-1", 3],
];

for (const text of matching) {
  test(`${text} matches`, () => assert.equal(matches(parsePattern(text), KEY), true));
}

for (const [text, mismatch] of missing) {
  test(`${text} does not match, for id ${mismatch}`, () => {
    assert.equal(matches(parsePattern(text), KEY), false);
    assert.equal(findMismatch(parsePattern(text), ["team-a-prod", "europe-west1", "sops", "app-1"]), mismatch);
  });
}

test("a star never goes beyond its segment", () => {
  const pattern = parsePattern("projects/*/locations/*/keyRings/*/cryptoKeys/*");
  assert.equal(findMismatch(pattern, ["a", "b", "c", "d"]), undefined);
  assert.throws(() => parsePattern("projects/*"), /found 2/);
});

const invalid: readonly (readonly [text: string, expected: RegExp])[] = [
  ["", /begin with projects\//],
  ["*", /begin with projects\//],
  ["/projects/a/locations/b/keyRings/c/cryptoKeys/d", /begin with projects\//],
  ["projects/a/**", /8 segments.*found 3; \*\* stays in one segment/],
  ["projects/a/locations/b/keyRings/c/cryptoKeys/d/cryptoKeyVersions/1", /found 10/],
  ["projects/a/*/b/keyRings/c/cryptoKeys/d", /segment 3 to be "locations"/],
  ["projects/a/locations/b/keyrings/c/cryptoKeys/d", /segment 5 to be "keyRings"/],
  ["projects/a/locations//keyRings/c/cryptoKeys/d", /no location can fit segment 4: it is empty/],
  ["projects/A*/locations/b/keyRings/c/cryptoKeys/d", /no project id can fit segment 2: it has a character/],
  ["projects/a/locations/b/keyRings/[cd]/cryptoKeys/d", /no key ring id can fit segment 6/],
  ["projects/a/locations/b/keyRings/c?/cryptoKeys/d", /no key ring id can fit segment 6/],
  ["projects/a/locations/b/keyRings/c/cryptoKeys/{d,e}", /no key id can fit segment 8/],
  ["projects/-/locations/b/keyRings/c/cryptoKeys/d", /it is not a valid id/],
  ["projects/a/locations/b/keyRings/c/cryptoKeys/d ", /no key id/],
  [`projects/${"*".repeat(600)}/locations/b/keyRings/c/cryptoKeys/d`, /at most 600/],
];

for (const [text, expected] of invalid) {
  test(`${JSON.stringify(text.slice(0, 60))} is no pattern`, () => {
    assert.throws(
      () => parsePattern(text),
      (error) => error instanceof PatternError && expected.test(error.message),
    );
  });
}

test("a pattern covers another where every one of its ids does", () => {
  const wide = parsePattern("projects/team-*/locations/*/keyRings/*/cryptoKeys/*");
  const narrow = parsePattern("projects/team-a*/locations/us/keyRings/*/cryptoKeys/k");
  assert.equal(covers(wide, narrow), true);
  assert.equal(covers(narrow, wide), false);
  assert.equal(covers(wide, wide), true);
});
