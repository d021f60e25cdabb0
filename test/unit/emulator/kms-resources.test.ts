import assert from "node:assert/strict";
import { after, test } from "node:test";
import { startEmulator } from "../../../src/emulator/emulator.ts";
import { type Answer, ask, base64, createTestClock, errorOf, freshKey, type Json, staticToken } from "./fixtures.ts";

const clock = createTestClock();
const emulator = await startEmulator({ clock });
const strict = await startEmulator({ strict: true });
after(() => Promise.all([emulator.close(), strict.close()]));
const token = await staticToken(emulator);
const strictToken = await staticToken(strict);

const send = (method: string, path: string, body?: object): Promise<Answer> =>
  ask(emulator, method, `/v1/${path}`, { token, ...(body !== undefined && { body }) });
const sendStrict = (method: string, path: string, body?: object): Promise<Answer> =>
  ask(strict, method, `/v1/${path}`, { token: strictToken, ...(body !== undefined && { body }) });

test("a key is made on first use, with its ring and one version", async () => {
  const key = freshKey();
  const { status, json } = await send("GET", key);
  assert.equal(status, 200);
  assert.equal((json["primary"] as Json)["name"], `${key}/cryptoKeyVersions/1`);
  assert.equal(json["purpose"], "ENCRYPT_DECRYPT");
});

test("with --strict a key that nobody made is not found, for any verb", async () => {
  const name = "projects/p/locations/global/keyRings/r/cryptoKeys/missing";
  const answers = await Promise.all([
    sendStrict("GET", name),
    sendStrict("POST", `${name}:encrypt`, { plaintext: "eA==" }),
    sendStrict("POST", `${name}:decrypt`, { ciphertext: "eA==" }),
  ]);
  for (const answer of answers) {
    assert.deepEqual(answer.json, {
      error: { code: 404, message: `CryptoKey ${name} not found.`, status: "NOT_FOUND", details: [] },
    });
  }
});

test("with --strict a key needs its ring, and works once both are made", async () => {
  const location = "projects/p/locations/europe-west1";
  const ring = `${location}/keyRings/r`;
  const body = { purpose: "ENCRYPT_DECRYPT", labels: { team: "a" } };
  assert.equal(errorOf(await sendStrict("POST", `${ring}/cryptoKeys?cryptoKeyId=k`, body)).status, "NOT_FOUND");
  assert.equal((await sendStrict("POST", `${location}/keyRings?keyRingId=r`, {})).json["name"], ring);
  const made = await sendStrict("POST", `${ring}/cryptoKeys?cryptoKeyId=k`, body);
  assert.deepEqual(made.json["labels"], { team: "a" });
  assert.equal((await sendStrict("POST", `${ring}/cryptoKeys/k:encrypt`, { plaintext: "eA==" })).status, 200);
});

test("what exists is not made again", async () => {
  const location = "projects/p/locations/us-east1";
  await send("POST", `${location}/keyRings?keyRingId=r`, {});
  const ring = errorOf(await send("POST", `${location}/keyRings?keyRingId=r`, {}));
  assert.deepEqual([ring.code, ring.status], [409, "ALREADY_EXISTS"]);
  const path = `${location}/keyRings/r/cryptoKeys?cryptoKeyId=k`;
  await send("POST", path, { purpose: "ENCRYPT_DECRYPT" });
  assert.equal(errorOf(await send("POST", path, { purpose: "ENCRYPT_DECRYPT" })).status, "ALREADY_EXISTS");
});

const BAD_CREATIONS = [
  { name: "a ring without an id", path: "projects/p/locations/global/keyRings", body: {} },
  { name: "a ring whose id has a dot", path: "projects/p/locations/global/keyRings?keyRingId=a.b", body: {} },
  {
    name: "a key for signing",
    path: "projects/p/locations/global/keyRings/r/cryptoKeys?cryptoKeyId=s",
    body: { purpose: "ASYMMETRIC_SIGN" },
  },
  {
    name: "a key with a rotation schedule",
    path: "projects/p/locations/global/keyRings/r/cryptoKeys?cryptoKeyId=s",
    body: { purpose: "ENCRYPT_DECRYPT", rotationPeriod: "7776000s" },
  },
];
for (const { name, path, body } of BAD_CREATIONS) {
  test(`${name} is refused`, async () =>
    assert.equal(errorOf(await send("POST", path, body)).status, "INVALID_ARGUMENT"));
}

test("lists come in pages, each saying how many there are in all", async () => {
  const location = "projects/paged/locations/global";
  for (const id of ["c", "a", "b"]) await send("POST", `${location}/keyRings?keyRingId=${id}`, {});
  const first = await send("GET", `${location}/keyRings?pageSize=2`);
  assert.deepEqual(namesOf(first, "keyRings"), ["a", "b"]);
  assert.equal(first.json["totalSize"], 3);
  const pageToken = String(first.json["nextPageToken"]);
  const second = await send("GET", `${location}/keyRings?pageSize=2&pageToken=${pageToken}`);
  assert.deepEqual(namesOf(second, "keyRings"), ["c"]);
  assert.equal("nextPageToken" in second.json, false);
  assert.equal(errorOf(await send("GET", `${location}/keyRings?pageToken=bogus`)).status, "INVALID_ARGUMENT");
  assert.equal(errorOf(await send("GET", `${location}/keyRings?pageSize=-1`)).status, "INVALID_ARGUMENT");
});

test("a new primary encrypts, and the version before still decrypts", async () => {
  const key = freshKey();
  const { ciphertext } = (await send("POST", `${key}:encrypt`, { plaintext: base64("old") })).json;
  assert.equal((await send("POST", `${key}/cryptoKeyVersions`, {})).json["name"], `${key}/cryptoKeyVersions/2`);
  const before = await send("POST", `${key}:encrypt`, { plaintext: base64("x") });
  assert.equal(before.json["name"], `${key}/cryptoKeyVersions/1`);
  await send("POST", `${key}:updatePrimaryVersion`, { cryptoKeyVersionId: "2" });
  const later = await send("POST", `${key}:encrypt`, { plaintext: base64("x") });
  assert.equal(later.json["name"], `${key}/cryptoKeyVersions/2`);
  const opened = await send("POST", `${key}:decrypt`, { ciphertext });
  assert.equal(opened.json["plaintext"], base64("old"));
  assert.equal("usedPrimary" in opened.json, false);
});

test("a version by its name encrypts even where it is not the primary", async () => {
  const key = freshKey();
  await send("POST", `${key}/cryptoKeyVersions`, {});
  const { json } = await send("POST", `${key}/cryptoKeyVersions/2:encrypt`, { plaintext: base64("x") });
  assert.equal(json["name"], `${key}/cryptoKeyVersions/2`);
});

test("a disabled version neither encrypts nor decrypts until it is enabled again", async () => {
  const key = freshKey();
  const version = `${key}/cryptoKeyVersions/1`;
  const { ciphertext } = (await send("POST", `${key}:encrypt`, { plaintext: base64("x") })).json;
  await send("PATCH", `${version}?updateMask=state`, { state: "DISABLED" });
  for (const refused of [
    await send("POST", `${key}:encrypt`, { plaintext: base64("x") }),
    await send("POST", `${key}:decrypt`, { ciphertext }),
  ]) {
    const { code, status, message } = errorOf(refused);
    assert.deepEqual([code, status], [400, "FAILED_PRECONDITION"]);
    assert.equal(message, `${version} is not enabled, current state is: DISABLED.`);
  }
  await send("PATCH", `${version}?updateMask=state`, { state: "ENABLED" });
  assert.equal((await send("POST", `${key}:decrypt`, { ciphertext })).status, 200);
});

test("nothing but the state of a version can be changed", async () => {
  const version = `${freshKey()}/cryptoKeyVersions/1`;
  const patch = await send("PATCH", `${version}?updateMask=state,algorithm`, { state: "DISABLED" });
  assert.equal(errorOf(patch).status, "INVALID_ARGUMENT");
  const destroyed = await send("PATCH", `${version}?updateMask=state`, { state: "DESTROYED" });
  assert.equal(errorOf(destroyed).status, "INVALID_ARGUMENT");
});

test("a version that is to be destroyed can be restored for 30 days, and then no more", async () => {
  const key = freshKey();
  const version = `${key}/cryptoKeyVersions/1`;
  const { ciphertext } = (await send("POST", `${key}:encrypt`, { plaintext: base64("x") })).json;
  const due = (await send("POST", `${version}:destroy`, {})).json;
  assert.equal(due["state"], "DESTROY_SCHEDULED");
  assert.equal(due["destroyTime"], new Date(clock.nowMs() + 30 * 86_400_000).toISOString());
  assert.equal((await send("POST", `${version}:restore`, {})).json["state"], "DISABLED");
  await send("POST", `${version}:destroy`, {});
  clock.advance(30 * 86_400_000);
  assert.equal((await send("GET", version)).json["state"], "DESTROYED");
  assert.equal(errorOf(await send("POST", `${version}:restore`, {})).status, "FAILED_PRECONDITION");
  const { message } = errorOf(await send("POST", `${key}:decrypt`, { ciphertext }));
  assert.match(message, /current state is: DESTROYED/);
});

test("a key made without a version encrypts only once it has a primary", async () => {
  const key = freshKey();
  const [ring, id] = key.split("/cryptoKeys/");
  const path = `${ring}/cryptoKeys?cryptoKeyId=${id}&skipInitialVersionCreation=true`;
  const made = await send("POST", path, { purpose: "ENCRYPT_DECRYPT" });
  assert.equal("primary" in made.json, false);
  const refused = await send("POST", `${key}:encrypt`, { plaintext: base64("x") });
  assert.equal(errorOf(refused).status, "FAILED_PRECONDITION");
  await send("POST", `${key}/cryptoKeyVersions`, {});
  await send("POST", `${key}:updatePrimaryVersion`, { cryptoKeyVersionId: "1" });
  assert.equal((await send("POST", `${key}:encrypt`, { plaintext: base64("x") })).status, 200);
});

test("enums may come as numbers, as Google's Go client sends them", async () => {
  const key = freshKey();
  const [ring, id] = key.split("/cryptoKeys/");
  const made = await send("POST", `${ring}/cryptoKeys?cryptoKeyId=${id}`, { purpose: 1 });
  assert.equal(made.status, 200);
  const patched = await send("PATCH", `${key}/cryptoKeyVersions/1?updateMask=state`, { state: 2 });
  assert.equal(patched.json["state"], "DISABLED");
});

function namesOf({ json }: Answer, field: string): string[] {
  return (json[field] as { name: string }[]).map(({ name }) => name.split("/").at(-1) ?? "");
}
