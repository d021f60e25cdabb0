import assert from "node:assert/strict";
import { after, test } from "node:test";
import fc from "fast-check";
import { crc32c } from "../../../src/emulator/crc32c.ts";
import { startEmulator } from "../../../src/emulator/emulator.ts";
import { createMaterial, open, referenceOf, seal } from "../../../src/emulator/key-cipher.ts";
import { type Answer, ask, base64, errorOf, freshKey, staticToken } from "./fixtures.ts";

const emulator = await startEmulator();
after(() => emulator.close());
const token = await staticToken(emulator);

const encrypt = (key: string, body: object): Promise<Answer> =>
  ask(emulator, "POST", `/v1/${key}:encrypt`, { token, body });
const decrypt = (key: string, body: object): Promise<Answer> =>
  ask(emulator, "POST", `/v1/${key}:decrypt`, { token, body });

test("what a key encrypts it decrypts, with checksums both ways", async () => {
  const key = freshKey();
  const plaintext = Buffer.from("a data key of 32 bytes, or nearly");
  const plaintextCrc32c = String(crc32c(plaintext));
  const sealed = await encrypt(key, { plaintext: base64(plaintext), plaintextCrc32c });
  assert.equal(sealed.status, 200);
  const ciphertext = String(sealed.json["ciphertext"]);
  assert.deepEqual(sealed.json, {
    name: `${key}/cryptoKeyVersions/1`,
    ciphertext,
    ciphertextCrc32c: String(crc32c(Buffer.from(ciphertext, "base64"))),
    verifiedPlaintextCrc32c: true,
    protectionLevel: "SOFTWARE",
  });
  const opened = await decrypt(key, { ciphertext, ciphertextCrc32c: sealed.json["ciphertextCrc32c"] });
  assert.deepEqual(opened.json, {
    plaintext: base64(plaintext),
    plaintextCrc32c,
    usedPrimary: true,
    protectionLevel: "SOFTWARE",
  });
});

test("nothing is said to be verified where no checksum was sent", async () => {
  const { json } = await encrypt(freshKey(), { plaintext: base64("x") });
  assert.equal("verifiedPlaintextCrc32c" in json, false);
});

test("the same plaintext never gives the same ciphertext", async () => {
  const key = freshKey();
  const [one, two] = await Promise.all([encrypt(key, { plaintext: "eA==" }), encrypt(key, { plaintext: "eA==" })]);
  assert.notEqual(one.json["ciphertext"], two.json["ciphertext"]);
});

test("another key refuses the ciphertext in Google's words", async () => {
  const { json } = await encrypt(freshKey(), { plaintext: base64("x") });
  const refused = await decrypt(freshKey(), { ciphertext: json["ciphertext"] });
  assert.deepEqual(errorOf(refused), {
    code: 400,
    message: "Decryption failed: the ciphertext is invalid.",
    status: "INVALID_ARGUMENT",
    details: [],
  });
});

test("additional authenticated data must be the same, and its checksum is verified", async () => {
  const key = freshKey();
  const additional = Buffer.from("bound to this");
  const { json } = await encrypt(key, {
    plaintext: base64("x"),
    additionalAuthenticatedData: base64(additional),
    additionalAuthenticatedDataCrc32c: crc32c(additional),
  });
  assert.equal(json["verifiedAdditionalAuthenticatedDataCrc32c"], true);
  const { ciphertext } = json;
  assert.equal((await decrypt(key, { ciphertext })).status, 400);
  const opened = await decrypt(key, { ciphertext, additionalAuthenticatedData: base64(additional) });
  assert.equal(opened.json["plaintext"], base64("x"));
});

const WRONG_CHECKSUMS = [
  { field: "plaintext_crc32c", verb: encrypt, body: { plaintext: base64("x"), plaintextCrc32c: "1" } },
  { field: "ciphertext_crc32c", verb: decrypt, body: { ciphertext: base64("x"), ciphertextCrc32c: 1 } },
  {
    field: "additional_authenticated_data_crc32c",
    verb: encrypt,
    body: { plaintext: base64("x"), additionalAuthenticatedData: base64("y"), additionalAuthenticatedDataCrc32c: "1" },
  },
];
for (const { field, verb, body } of WRONG_CHECKSUMS) {
  test(`a wrong ${field} is refused`, async () => {
    const { code, status, message } = errorOf(await verb(freshKey(), body));
    assert.deepEqual([code, status], [400, "INVALID_ARGUMENT"]);
    assert.match(message, new RegExp(`checksum in field ${field} did not match`));
  });
}

test("64 KiB of plaintext pass and one byte more is refused", async () => {
  const key = freshKey();
  assert.equal((await encrypt(key, { plaintext: base64(Buffer.alloc(65_536)) })).status, 200);
  assert.equal(errorOf(await encrypt(key, { plaintext: base64(Buffer.alloc(65_537)) })).status, "INVALID_ARGUMENT");
});

test("a body of more than 1 MiB is refused before it is read to its end", async () => {
  const answer = await encrypt(freshKey(), { plaintext: "A".repeat(1024 * 1024) }).catch((error: unknown) => error);
  // A client that is still sending may see the closed connection before the answer.
  assert.ok(answer instanceof TypeError || (answer as Answer).status === 413);
});

const MALFORMED = [
  { name: "a field that does not exist", body: { plaintxt: "eA==" }, message: /Unknown name "plaintxt"/ },
  { name: "what is not base64", body: { plaintext: "e A=" }, message: /Base64 decoding failed/ },
  { name: "base64 of an impossible length", body: { plaintext: "eAAAA" }, message: /Base64 decoding failed/ },
  { name: "a number as plaintext", body: { plaintext: 7 }, message: /at 'plaintext'/ },
];
for (const { name, body, message } of MALFORMED) {
  test(`${name} is refused as Google refuses it`, async () => {
    const error = errorOf(await encrypt(freshKey(), body));
    assert.equal(error.status, "INVALID_ARGUMENT");
    assert.match(error.message, message);
  });
}

test("a name that is no key's has no endpoint", async () => {
  const { status } = await encrypt("projects/p/locations/global/keyRings/r/cryptoKeys/a%2Fb", {});
  assert.equal(status, 404);
  assert.equal((await encrypt("projects/p/locations/global/keyRings/r/cryptoKeys/..", {})).status, 404);
});

test("any bytes come back, and with any bit flipped they do not", () => {
  const material = createMaterial();
  const bytes = fc.uint8Array({ maxLength: 200 });
  fc.assert(
    fc.property(bytes, bytes, fc.nat(), fc.integer({ min: 0, max: 7 }), (plaintext, additional, position, bit) => {
      const data = Buffer.from(additional);
      const ciphertext = seal(material, "key", data, Buffer.from(plaintext));
      assert.deepEqual(open(material, "key", data, ciphertext), Buffer.from(plaintext));
      assert.equal(open(material, "other key", data, ciphertext), undefined);
      const index = position % ciphertext.length;
      ciphertext[index] = (ciphertext[index] ?? 0) ^ (1 << bit);
      const isOurs = referenceOf(ciphertext) === material.reference;
      assert.equal(isOurs ? open(material, "key", data, ciphertext) : undefined, undefined);
    }),
  );
});

test("over HTTP, every single byte of a ciphertext matters", async () => {
  const key = freshKey();
  const { json } = await encrypt(key, { plaintext: base64("x") });
  const ciphertext = Buffer.from(String(json["ciphertext"]), "base64");
  for (const index of ciphertext.keys()) {
    const flipped = Buffer.from(ciphertext);
    flipped[index] = (flipped[index] ?? 0) ^ 0x80;
    assert.equal((await decrypt(key, { ciphertext: base64(flipped) })).status, 400, `byte ${index}`);
    assert.equal((await decrypt(key, { ciphertext: base64(ciphertext.subarray(0, index)) })).status, 400);
  }
});
