import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { readFile } from "node:fs/promises";
import { request } from "node:http";
import { after, afterEach, test } from "node:test";
import { startEmulator } from "../../../src/emulator/emulator.ts";
import { MAX_LOGGED_REQUESTS } from "../../../src/emulator/request-log.ts";
import { type Answer, type Asked, ask, base64, errorOf, freshKey, staticToken } from "./fixtures.ts";

const emulator = await startEmulator();
after(() => emulator.close());
afterEach(() => emulator.admin.resetRequests());
const token = await staticToken(emulator);
const { serviceAccount, secondServiceAccount } = emulator.principals;

const admin = (method: string, path: string, body?: object): Promise<Answer> =>
  ask(emulator, method, `/emulator/${path}`, body === undefined ? {} : { body });
const use = (key: string, verb: string, asked: Asked): Promise<Answer> =>
  ask(emulator, "POST", `/v1/${key}:${verb}`, { token, ...asked });

test("an access list lets in whom it names, for the operations it names", async () => {
  const key = freshKey();
  const { ciphertext } = (await use(key, "encrypt", { body: { plaintext: base64("x") } })).json;
  const grant = { principals: [serviceAccount], operations: ["encrypt"] };
  assert.equal((await admin("PUT", `access/${key}`, { allow: [grant] })).status, 200);
  assert.equal((await use(key, "encrypt", { body: { plaintext: base64("x") } })).status, 200);
  const refused = errorOf(await use(key, "decrypt", { body: { ciphertext } }));
  assert.deepEqual([refused.code, refused.status], [403, "PERMISSION_DENIED"]);
  assert.equal(
    refused.message,
    `Permission 'cloudkms.cryptoKeyVersions.useToDecrypt' denied on resource '${key}' (or it may not exist).`,
  );
  assert.deepEqual((await admin("GET", "access")).json["access"], { [key]: [grant] });
  await admin("PUT", `access/${key}`, { allow: [{ ...grant, principals: [secondServiceAccount] }] });
  assert.equal((await use(key, "encrypt", { body: { plaintext: base64("x") } })).status, 403);
  await admin("PUT", `access/${key}`, { allow: [] });
  assert.equal((await use(key, "encrypt", { body: { plaintext: base64("x") } })).status, 403);
  await admin("DELETE", `access/${key}`);
  assert.equal((await use(key, "decrypt", { body: { ciphertext } })).status, 200);
});

test("impersonation lists can be set, shown and taken away", async () => {
  await admin("PUT", "impersonation/x@example.com", { tokenCreators: ["ann@example.com"], extendedLifetime: true });
  assert.deepEqual((await admin("GET", "impersonation")).json["impersonation"], {
    "x@example.com": { tokenCreators: ["ann@example.com"], extendedLifetime: true },
  });
  await admin("DELETE", "impersonation/x@example.com");
  assert.deepEqual((await admin("GET", "impersonation")).json["impersonation"], {});
});

test("faults can be set, listed and cleared, one by one or all", async () => {
  const fault = { endpoint: "kms.encrypt", kind: "status", code: 503, times: 3 };
  const { id } = (await admin("POST", "faults", fault)).json;
  await admin("POST", "faults", { endpoint: "*", kind: "latency", ms: 1 });
  const [first] = (await admin("GET", "faults")).json["faults"] as object[];
  assert.deepEqual(first, { id, spec: fault, timesLeft: 3 });
  await admin("DELETE", `faults/${String(id)}`);
  assert.equal(emulator.admin.faults().length, 1);
  await admin("DELETE", "faults");
  assert.equal(emulator.admin.faults().length, 0);
});

const BAD_FAULTS = [
  { name: "an unknown kind", body: { endpoint: "*", kind: "gremlins" } },
  { name: "an unknown endpoint", body: { endpoint: "kms", kind: "hang" } },
  { name: "a status without its code", body: { endpoint: "*", kind: "status" } },
  { name: "a key that does not exist", body: { endpoint: "*", kind: "hang", time: 1 } },
  { name: "no effect", body: { endpoint: "oauth.token", kind: "wrong-crc" } },
];
for (const { name, body } of BAD_FAULTS) {
  test(`a fault with ${name} is refused`, async () => {
    assert.equal(errorOf(await admin("POST", "faults", body)).status, "INVALID_ARGUMENT");
    assert.equal(emulator.admin.faults().length, 0);
  });
}

test("the request log counts by endpoint and says who did what", async () => {
  const key = freshKey();
  await use(key, "encrypt", { body: { plaintext: base64("x") } });
  await use(key, "decrypt", { body: { ciphertext: base64("x") } });
  await ask(emulator, "GET", "/v2/nothing");
  const { json } = await admin("GET", "requests");
  assert.deepEqual(json["counts"], { "kms.encrypt": 1, "kms.decrypt": 1, unknown: 1 });
  const [first, second] = emulator.admin.requests().requests;
  assert.deepEqual(first, {
    time: first?.time,
    endpoint: "kms.encrypt",
    resource: key,
    principal: serviceAccount,
    status: 200,
  });
  assert.equal(second?.status, 400);
  await admin("DELETE", "requests");
  assert.deepEqual(emulator.admin.requests(), { counts: {}, requests: [] });
});

test("the request log holds no token, assertion or payload", async () => {
  const plaintext = base64("a very secret data key");
  const sealed = await use(freshKey(), "encrypt", { body: { plaintext } });
  const form = { grant_type: "refresh_token", client_id: "a-client", client_secret: "hush", refresh_token: "hush" };
  await ask(emulator, "POST", "/token", { form });
  await use(freshKey(), "decrypt", { token: "emulated.oauth.unknown", body: {} });
  const log = JSON.stringify(emulator.admin.requests());
  for (const secret of [token, plaintext, String(sealed.json["ciphertext"]), "hush", "emulated.oauth"]) {
    assert.equal(log.includes(secret), false);
  }
  assert.ok(log.includes("a-client"));
});

test("the request log is bounded, and its counts are not", async () => {
  for (let i = 0; i < MAX_LOGGED_REQUESTS + 5; i++) await ask(emulator, "GET", "/");
  const { counts, requests } = emulator.admin.requests();
  assert.deepEqual([counts["metadata.other"], requests.length], [MAX_LOGGED_REQUESTS + 5, MAX_LOGGED_REQUESTS]);
});

test("tokens can be expired for one principal, and the access token file be renewed", async () => {
  const key = freshKey();
  const body = { plaintext: base64("x") };
  await admin("POST", "tokens:expire", { principal: secondServiceAccount });
  assert.equal((await use(key, "encrypt", { body })).status, 200);
  assert.equal((await admin("POST", "tokens:expire", {})).status, 200);
  assert.equal((await use(key, "encrypt", { body })).status, 401);
  await admin("POST", "access-token:rotate");
  const renewed = (await readFile(emulator.files.accessToken, "utf8")).trim();
  assert.equal((await use(key, "encrypt", { token: renewed, body })).status, 200);
});

test("an account with a key of its own can be registered, and a subject token be issued", async () => {
  const { publicKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const pem = publicKey.export({ type: "spki", format: "pem" });
  const account = { email: "own@example.com", keyId: "1", publicKey: pem };
  assert.equal((await admin("POST", "public-keys", account)).status, 200);
  assert.equal((await admin("POST", "public-keys", { ...account, publicKey: "junk" })).status, 400);
  const made = await admin("POST", "service-accounts", { email: "made@example.com" });
  assert.deepEqual([made.json["type"], made.json["client_email"]], ["service_account", "made@example.com"]);
  await admin("POST", "issuers", { issuer: "https://issuer.example.com" });
  const issued = await admin("POST", "subject-tokens", { subject: "s", issuer: "https://issuer.example.com" });
  assert.match(String(issued.json["token"]), /^ey/);
  assert.equal((await admin("POST", "subject-tokens", { subject: "s", issuer: "unknown" })).status, 400);
});

test("a web page cannot drive the emulator: neither with its Origin nor by a name of its own", async () => {
  const withOrigin = await ask(emulator, "GET", "/emulator/requests", { headers: { Origin: "http://localhost" } });
  assert.equal(withOrigin.status, 403);
  assert.equal(await statusWithHost("attacker.example:8181"), 403);
  assert.equal(await statusWithHost("127.0.0.1.attacker.example"), 403);
  assert.equal(await statusWithHost(`localhost:${emulator.port}`), 200);
  assert.equal(await statusWithHost("[::1]:1"), 200);
});

/** With node:http, because fetch does not let a Host be set. */
function statusWithHost(host: string): Promise<number | undefined> {
  const { promise, resolve, reject } = Promise.withResolvers<number | undefined>();
  const asked = request(`${emulator.url}/emulator/requests`, { headers: { Host: host } }, (response) => {
    response.resume();
    resolve(response.statusCode);
  });
  asked.on("error", reject).end();
  return promise;
}
