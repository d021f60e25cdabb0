import assert from "node:assert/strict";
import { after, afterEach, test } from "node:test";
import { crc32c } from "../../../src/emulator/crc32c.ts";
import { startEmulator } from "../../../src/emulator/emulator.ts";
import type { FaultSpec } from "../../../src/emulator/faults.ts";
import { type Answer, ask, base64, createTestClock, errorOf, freshKey, staticToken } from "./fixtures.ts";

const clock = createTestClock();
const emulator = await startEmulator({ clock });
after(() => emulator.close());
afterEach(() => emulator.admin.clearFaults());
const token = await staticToken(emulator);
const key = freshKey();

const encrypt = (name: string = key): Promise<Answer> =>
  ask(emulator, "POST", `/v1/${name}:encrypt`, {
    token,
    body: { plaintext: base64("data key"), plaintextCrc32c: crc32c(Buffer.from("data key")) },
  });
const decrypt = (ciphertext: unknown): Promise<Answer> =>
  ask(emulator, "POST", `/v1/${key}:decrypt`, { token, body: { ciphertext } });
const metadataToken = (): Promise<Answer> =>
  ask(emulator, "GET", "/computeMetadata/v1/instance/service-accounts/default/token", {
    headers: { "Metadata-Flavor": "Google" },
  });

function checksumFits({ json }: Answer, field: string): boolean {
  return String(crc32c(Buffer.from(String(json[field]), "base64"))) === json[`${field}Crc32c`];
}

test("a status is answered in Google's form, as often as was said", async () => {
  emulator.admin.addFault({ endpoint: "kms.encrypt", kind: "status", code: 429, retryAfter: 2, times: 2 });
  for (const answer of [await encrypt(), await encrypt()]) {
    assert.equal(errorOf(answer).status, "RESOURCE_EXHAUSTED");
    assert.equal(answer.headers.get("retry-after"), "2");
  }
  assert.equal((await encrypt()).status, 200);
  assert.deepEqual(emulator.admin.faults(), []);
});

test("a status can bring its own body, as text or as JSON", async () => {
  emulator.admin.addFault({ endpoint: "kms.encrypt", kind: "status", code: 502, body: "bad gateway", times: 1 });
  emulator.admin.addFault({ endpoint: "kms.encrypt", kind: "status", code: 400, body: { odd: true }, times: 1 });
  assert.equal((await encrypt()).text, "bad gateway");
  assert.deepEqual((await encrypt()).json, { odd: true });
});

test("a token endpoint's status has the form of OAuth", async () => {
  emulator.admin.addFault({ endpoint: "oauth.token", kind: "status", code: 400 });
  const { json } = await ask(emulator, "POST", "/token", { form: {} });
  assert.equal(json["error"], "invalid_grant");
});

test("a fault for one key leaves the others alone, and a star stands for any rest", async () => {
  emulator.admin.addFault({ endpoint: "kms.encrypt", kind: "status", code: 503, resource: key });
  assert.equal((await encrypt()).status, 503);
  assert.equal((await encrypt(freshKey())).status, 200);
  emulator.admin.clearFaults();
  emulator.admin.addFault({ endpoint: "*", kind: "status", code: 503, resource: "projects/p/*" });
  assert.equal((await encrypt(freshKey())).status, 503);
  assert.equal((await metadataToken()).status, 200);
});

test("latency keeps the answer back until the clock has turned", async () => {
  emulator.admin.addFault({ endpoint: "kms.encrypt", kind: "latency", ms: 30_000, times: 1 });
  let isAnswered = false;
  const answer = encrypt().finally(() => {
    isAnswered = true;
  });
  while (emulator.admin.faults().length > 0) await metadataToken();
  assert.equal(isAnswered, false);
  clock.advance(30_000);
  assert.equal((await answer).status, 200);
});

test("a corrupted ciphertext no longer fits its checksum, nor decrypts", async () => {
  emulator.admin.addFault({ endpoint: "kms.encrypt", kind: "corrupt", times: 1 });
  const bad = await encrypt();
  assert.equal(bad.status, 200);
  assert.equal(checksumFits(bad, "ciphertext"), false);
  assert.equal((await decrypt(bad.json["ciphertext"])).status, 400);
});

test("a corrupted plaintext no longer fits its checksum", async () => {
  const { ciphertext } = (await encrypt()).json;
  emulator.admin.addFault({ endpoint: "kms.decrypt", kind: "corrupt", times: 1 });
  const bad = await decrypt(ciphertext);
  assert.notEqual(bad.json["plaintext"], base64("data key"));
  assert.equal(checksumFits(bad, "plaintext"), false);
  assert.equal(checksumFits(await decrypt(ciphertext), "plaintext"), true);
});

test("a wrong checksum comes with the right ciphertext", async () => {
  emulator.admin.addFault({ endpoint: "kms.encrypt", kind: "wrong-crc", times: 1 });
  const bad = await encrypt();
  assert.equal(checksumFits(bad, "ciphertext"), false);
  assert.equal((await decrypt(bad.json["ciphertext"])).json["plaintext"], base64("data key"));
});

test("a wrong name is that of another key", async () => {
  emulator.admin.addFault({ endpoint: "kms.encrypt", kind: "wrong-name" });
  assert.equal((await encrypt()).json["name"], `${key}-other/cryptoKeyVersions/1`);
});

test("an empty answer has the checksum of nothing, so that only its emptiness gives it away", async () => {
  emulator.admin.addFault({ endpoint: "kms.encrypt", kind: "empty" });
  const { status, json } = await encrypt();
  assert.deepEqual([status, json["ciphertext"], json["ciphertextCrc32c"]], [200, "", "0"]);
});

test("an unverified answer does not claim that the checksum was seen", async () => {
  emulator.admin.addFault({ endpoint: "kms.encrypt", kind: "unverified" });
  assert.equal((await encrypt()).json["verifiedPlaintextCrc32c"], false);
});

test("a web page can stand where JSON should be", async () => {
  emulator.admin.addFault({ endpoint: "metadata.token", kind: "html" });
  const { status, headers, text } = await metadataToken();
  assert.equal(status, 200);
  assert.match(String(headers.get("content-type")), /^text\/html/);
  assert.match(text, /<!doctype html>/);
});

test("a corrupted token is refused by Cloud KMS", async () => {
  emulator.admin.addFault({ endpoint: "metadata.token", kind: "corrupt", times: 1 });
  const bad = String((await metadataToken()).json["access_token"]);
  const asked = { token: bad, body: { plaintext: "eA==" } };
  assert.equal((await ask(emulator, "POST", `/v1/${key}:encrypt`, asked)).status, 401);
});

for (const kind of ["reset", "truncate"] as const) {
  test(`${kind} breaks the connection, and the next call is fine`, async () => {
    emulator.admin.addFault({ endpoint: "kms.encrypt", kind, times: 1 });
    await assert.rejects(encrypt(), TypeError);
    assert.equal((await encrypt()).status, 200);
  });
}

test("a call that hangs is logged, and ends when the emulator closes", async () => {
  const other = await startEmulator();
  other.admin.addFault({ endpoint: "*", kind: "hang" });
  const hanging = ask(other, "POST", `/v1/${key}:encrypt`, { body: {} });
  const ended = assert.rejects(hanging, TypeError);
  while (other.admin.requests().requests.length === 0) await ask(other, "GET", "/emulator/faults");
  const [entry] = other.admin.requests().requests;
  assert.deepEqual([entry?.status, entry?.fault], [0, "hang"]);
  await other.close();
  await ended;
});

const WITHOUT_EFFECT: readonly FaultSpec[] = [
  { endpoint: "kms.decrypt", kind: "wrong-name" },
  { endpoint: "kms.decrypt", kind: "unverified" },
  { endpoint: "oauth.token", kind: "wrong-crc" },
  { endpoint: "kms.cryptoKeys", kind: "corrupt" },
];
for (const spec of WITHOUT_EFFECT) {
  test(`${spec.kind} on ${spec.endpoint} is refused, for it would prove nothing`, () => {
    assert.throws(() => emulator.admin.addFault(spec), /has no effect/);
  });
}

test("there is room for a hundred faults and no more", () => {
  for (let i = 0; i < 100; i++) emulator.admin.addFault({ endpoint: "kms.encrypt", kind: "empty" });
  assert.throws(() => emulator.admin.addFault({ endpoint: "kms.encrypt", kind: "empty" }), /already 100/);
});
