import assert from "node:assert/strict";
import { test } from "node:test";
import { KeyServiceError } from "../../../src/core/errors.ts";
import { idsOf, MAX_RESOURCE_NAME_LENGTH, parseCryptoKeyName } from "../../../src/routing/resource-name.ts";

const KEY = "projects/my-project/locations/europe-west1/keyRings/My_Ring-1/cryptoKeys/my-key";

function refusalOf(text: string): KeyServiceError {
  try {
    parseCryptoKeyName(text);
  } catch (error) {
    if (error instanceof KeyServiceError) return error;
    throw error;
  }
  return assert.fail(`accepted ${JSON.stringify(text)}`);
}

const LONGEST_PROJECT = `${"d".repeat(253)}:${"p".repeat(63)}`;

const accepted = [
  KEY,
  "projects/1/locations/global/keyRings/r/cryptoKeys/k",
  "projects/123456789012/locations/us/keyRings/r/cryptoKeys/k",
  "projects/example.com:my-project/locations/eur4/keyRings/r/cryptoKeys/k",
  "projects/p/locations/l/keyRings/_/cryptoKeys/--",
  `projects/${LONGEST_PROJECT}/locations/${"l".repeat(63)}/keyRings/${"R".repeat(63)}/cryptoKeys/${"K".repeat(63)}`,
];

for (const name of accepted) {
  test(`${name.slice(0, 70)} is the name of a key`, () => {
    assert.equal(parseCryptoKeyName(name), name);
    assert.ok(name.length <= MAX_RESOURCE_NAME_LENGTH);
  });
}

const refused: readonly (readonly [what: string, text: string])[] = [
  ["nothing", ""],
  ["a way up and a query", "../../evil?x=1"],
  ["a key version", `${KEY}/cryptoKeyVersions/3`],
  ["a query after the key", `${KEY}?x=1`],
  ["a fragment after the key", `${KEY}#x`],
  ["an escaped slash", `${KEY}%2F..`],
  ["a method after the key", `${KEY}:destroy`],
  ["a line end", `${KEY}\n`],
  ["a carriage return", `${KEY}\r`],
  ["a NUL", `${KEY}\0`],
  ["a space in front", ` ${KEY}`],
  ["a space behind", `${KEY} `],
  ["a slash in front", `/${KEY}`],
  ["a slash behind", `${KEY}/`],
  ["a backslash", KEY.replace("/locations", "\\locations")],
  ["an empty ring", "projects/p/locations/l/keyRings//cryptoKeys/k"],
  ["two dots as the project", "projects/../locations/l/keyRings/r/cryptoKeys/k"],
  ["a dot as the location", "projects/p/locations/./keyRings/r/cryptoKeys/k"],
  ["two dots as the ring", "projects/p/locations/l/keyRings/../cryptoKeys/k"],
  ["two dots as the key", "projects/p/locations/l/keyRings/r/cryptoKeys/.."],
  ["escaped dots as the key", "projects/p/locations/l/keyRings/r/cryptoKeys/%2e%2e"],
  ["a star as the ring", "projects/p/locations/l/keyRings/*/cryptoKeys/k"],
  ["Google's hyphen for any ring", "projects/p/locations/l/keyRings/-/cryptoKeys/k"],
  ["Google's hyphen for any project", "projects/-/locations/l/keyRings/r/cryptoKeys/k"],
  ["Google's hyphen for any location", "projects/p/locations/-/keyRings/r/cryptoKeys/k"],
  ["Google's hyphen for any key", "projects/p/locations/l/keyRings/r/cryptoKeys/-"],
  ["an upper-case project", "projects/P/locations/l/keyRings/r/cryptoKeys/k"],
  ["a project that is only a domain", "projects/example.com/locations/l/keyRings/r/cryptoKeys/k"],
  ["a project with two domains", "projects/a.b:c.d:p/locations/l/keyRings/r/cryptoKeys/k"],
  ["a project with an empty domain", "projects/:p/locations/l/keyRings/r/cryptoKeys/k"],
  ["an empty project in a domain", "projects/example.com:/locations/l/keyRings/r/cryptoKeys/k"],
  ["a domain that begins with a dot", "projects/.com:p/locations/l/keyRings/r/cryptoKeys/k"],
  ["a project of 64 characters", `projects/${"p".repeat(64)}/locations/l/keyRings/r/cryptoKeys/k`],
  ["a ring of 64 characters", `projects/p/locations/l/keyRings/${"r".repeat(64)}/cryptoKeys/k`],
  ["another collection", KEY.replace("keyRings", "keyrings")],
  ["another collection at the end", KEY.replace("cryptoKeys", "importJobs")],
  ["an address", `https://cloudkms.googleapis.com/v1/${KEY}`],
  ["the ring only", "projects/p/locations/l/keyRings/r"],
  ["a look-alike letter", KEY.replace("my-key", "my-k\u0435y")],
  ["full-width dots", KEY.replace("my-key", "\uff0e\uff0e")],
  ["half of a surrogate pair", `${KEY}\ud800`],
];

for (const [what, text] of refused) {
  test(`${what} is refused, in printable words that say how to write it`, () => {
    const error = refusalOf(text);
    assert.equal(error.code, "key_name_invalid");
    assert.match(error.message, /to do: write it as projects\/PROJECT\//);
    assert.doesNotMatch(error.message, /[\r\0]/);
    assert.equal(error.message.split("\n").length, 2);
  });
}

test("a name as large as a message is refused at once and not repeated", () => {
  const error = refusalOf(`${KEY}${"/x".repeat(500_000)}`);
  assert.match(error.message, /longer than 600 characters/);
  assert.ok(error.message.length < 400);
});

test("the ids are those of the name", () => {
  const key = parseCryptoKeyName(KEY);
  assert.deepEqual(idsOf(key), ["my-project", "europe-west1", "My_Ring-1", "my-key"]);
});
