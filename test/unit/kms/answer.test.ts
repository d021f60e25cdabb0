import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { describe, test } from "node:test";
import fc from "fast-check";
import type { Operation } from "../../../src/config/config.ts";
import { KeyServiceError } from "../../../src/core/errors.ts";
import { crc32c } from "../../../src/kms/crc32c.ts";
import { readJsonAnswer } from "../../../src/kms/json-answer.ts";
import { type VerifiedAnswer, verifyAnswer } from "../../../src/kms/verify.ts";
import { parseCryptoKeyName } from "../../../src/routing/resource-name.ts";

const KEY = parseCryptoKeyName("projects/p/locations/global/keyRings/r/cryptoKeys/k");
const BYTES = randomBytes(80);

function encryptAnswer(changes: object = {}): Buffer {
  return Buffer.from(
    JSON.stringify({
      name: `${KEY}/cryptoKeyVersions/7`,
      ciphertext: BYTES.toString("base64"),
      ciphertextCrc32c: String(crc32c(BYTES)),
      verifiedPlaintextCrc32c: true,
      ...changes,
    }),
  );
}

function decryptAnswer(changes: object = {}): Buffer {
  return Buffer.from(
    JSON.stringify({ plaintext: BYTES.toString("base64"), plaintextCrc32c: String(crc32c(BYTES)), ...changes }),
  );
}

/** What the program does with the bytes of an answer. */
function takeAnswer(body: Buffer, operation: Operation): VerifiedAnswer {
  const request = { operation, key: KEY, payload: BYTES, payloadCrc32c: crc32c(BYTES) };
  return verifyAnswer(readJsonAnswer(body, operation), request);
}

function isIntegrityError(thrown: unknown): boolean {
  return thrown instanceof KeyServiceError && thrown.code === "integrity_failed";
}

describe("an encrypt answer", () => {
  test("is taken when everything about it is right", () => {
    const { payload, keyVersion } = takeAnswer(encryptAnswer(), "encrypt");
    assert.deepEqual(payload, BYTES);
    assert.equal(keyVersion, `${KEY}/cryptoKeyVersions/7`);
  });

  for (const [what, changes] of [
    ["no ciphertext", { ciphertext: undefined }],
    ["an empty ciphertext with the right checksum of nothing", { ciphertext: "", ciphertextCrc32c: "0" }],
    ["a ciphertext that is not base64", { ciphertext: "not base64!" }],
    ["no checksum", { ciphertextCrc32c: undefined }],
    ["another checksum", { ciphertextCrc32c: String(crc32c(BYTES) ^ 1) }],
    ["no word that our checksum was verified", { verifiedPlaintextCrc32c: undefined }],
    ["word that our checksum was not verified", { verifiedPlaintextCrc32c: false }],
    ["truth as text", { verifiedPlaintextCrc32c: "true" }],
    ["no key name", { name: undefined }],
    ["the key instead of its version", { name: KEY }],
    ["another key", { name: `${KEY}x/cryptoKeyVersions/7` }],
    ["something behind the version", { name: `${KEY}/cryptoKeyVersions/7/x` }],
    ["version 0", { name: `${KEY}/cryptoKeyVersions/0` }],
  ] as const) {
    test(`is refused with ${what}`, () => {
      assert.throws(() => takeAnswer(encryptAnswer(changes), "encrypt"), isIntegrityError);
    });
  }
});

describe("a decrypt answer", () => {
  test("is taken when everything about it is right", () => {
    assert.deepEqual(takeAnswer(decryptAnswer(), "decrypt").payload, BYTES);
  });

  for (const [what, body] of [
    ["no plaintext", decryptAnswer({ plaintext: undefined })],
    ["an empty plaintext with the right checksum of nothing", decryptAnswer({ plaintext: "", plaintextCrc32c: "0" })],
    ["no checksum", decryptAnswer({ plaintextCrc32c: undefined })],
    ["a null checksum", decryptAnswer({ plaintextCrc32c: null })],
    ["nothing at all", Buffer.alloc(0)],
    ["half of it missing", decryptAnswer().subarray(0, 60)],
    ["an HTML page", Buffer.from("<html></html>")],
    ["JSON that is no object", Buffer.from("null")],
  ] as const) {
    test(`is refused with ${what}`, () => assert.throws(() => takeAnswer(body, "decrypt"), isIntegrityError));
  }

  test("never hands out other bytes than were sent, whichever bits flip on the way", () => {
    const sent = decryptAnswer();
    fc.assert(
      fc.property(fc.uniqueArray(fc.nat(sent.length * 8 - 1), { minLength: 1, maxLength: 3 }), (bits) => {
        const arrived = Buffer.from(sent);
        for (const bit of bits) arrived[bit >> 3] = (arrived[bit >> 3] ?? 0) ^ (1 << (bit & 7));
        let plaintext: Buffer;
        try {
          plaintext = takeAnswer(arrived, "decrypt").payload;
        } catch (thrown) {
          assert.ok(isIntegrityError(thrown));
          return;
        }
        // A flip that changes no meaning (a field's letter case, say) may pass, but only with the same bytes.
        assert.deepEqual(plaintext, BYTES);
      }),
      { numRuns: 2_000 },
    );
  });
});
