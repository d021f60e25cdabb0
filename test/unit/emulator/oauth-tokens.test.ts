import assert from "node:assert/strict";
import { createPrivateKey, generateKeyPairSync } from "node:crypto";
import { after, test } from "node:test";
import { SignJWT } from "jose";
import { startEmulator } from "../../../src/emulator/emulator.ts";
import { type Answer, ask, createTestClock, errorOf, freshKey, readJson } from "./fixtures.ts";

const clock = createTestClock();
const emulator = await startEmulator({ clock, tokenLifetimeMs: 600_000 });
after(() => emulator.close());
const account = await readJson(emulator.files.serviceAccount);
const user = await readJson(emulator.files.authorizedUser);
const ours = createPrivateKey(String(account["private_key"]));
const foreign = generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey;

const KMS_SCOPE = "https://www.googleapis.com/auth/cloudkms";
const nowS = (): number => Math.floor(clock.nowMs() / 1000);

function sign(claims: object, key = ours, kid = account["private_key_id"]): Promise<string> {
  const email = String(account["client_email"]);
  const usual = { iss: email, sub: email, iat: nowS(), exp: nowS() + 3600 };
  return new SignJWT({ ...usual, ...claims }).setProtectedHeader({ alg: "RS256", kid: String(kid) }).sign(key);
}

async function exchange(claims: object, key = ours, kid = account["private_key_id"]): Promise<Answer> {
  const assertion = await sign({ scope: KMS_SCOPE, aud: `${emulator.url}/token`, ...claims }, key, kid);
  const grant_type = "urn:ietf:params:oauth:grant-type:jwt-bearer";
  return ask(emulator, "POST", "/token", { form: { grant_type, assertion } });
}

function refresh(form: Readonly<Record<string, string | undefined>>): Promise<Answer> {
  const { client_id = "", client_secret = "", refresh_token = "" } = user;
  const usual = { grant_type: "refresh_token", client_id, client_secret, refresh_token };
  return ask(emulator, "POST", "/token", { form: { ...usual, ...(form as Record<string, string>) } });
}

const useKey = (token: string): Promise<Answer> =>
  ask(emulator, "POST", `/v1/${freshKey()}:encrypt`, { token, body: { plaintext: "eA==" } });

test("a service account's assertion becomes a token that Cloud KMS takes until it expires", async () => {
  const { status, json } = await exchange({});
  assert.equal(status, 200);
  assert.deepEqual([json["token_type"], json["expires_in"]], ["Bearer", 600]);
  const token = String(json["access_token"]);
  assert.match(token, /^emulated\.oauth\./);
  assert.equal((await useKey(token)).status, 200);
  clock.advance(600_000);
  const expired = errorOf(await useKey(token));
  assert.deepEqual([expired.code, expired.status], [401, "UNAUTHENTICATED"]);
  assert.equal(expired.details[0]?.["reason"], "ACCESS_TOKEN_EXPIRED");
});

test("Google's own token address is a good audience too", async () => {
  assert.equal((await exchange({ aud: "https://oauth2.googleapis.com/token" })).status, 200);
});

const BAD_ASSERTIONS = [
  {
    name: "for another audience",
    claims: { aud: "https://example.com/token" },
    error: "invalid_grant",
    why: /audience/,
  },
  { name: "that expired", claims: { iat: -7200, exp: -3600 }, error: "invalid_grant", why: /short-lived/ },
  { name: "for two hours", claims: { exp: 7200 }, error: "invalid_grant", why: /short-lived/ },
  { name: "from the future", claims: { iat: 600, exp: 900 }, error: "invalid_grant", why: /short-lived/ },
  { name: "without a scope", claims: { scope: "" }, error: "invalid_scope", why: /scope/ },
  { name: "for somebody else", claims: { sub: "boss@example.com" }, error: "unauthorized_client", why: /unauthorized/ },
  { name: "of an unknown account", claims: { iss: "nobody@example.com" }, error: "invalid_grant", why: /not found/ },
];
for (const { name, claims, error, why } of BAD_ASSERTIONS) {
  test(`an assertion ${name} is refused with ${error}`, async () => {
    const times = {
      ...("iat" in claims && { iat: nowS() + claims.iat }),
      ...("exp" in claims && { exp: nowS() + claims.exp }),
    };
    const { status, json } = await exchange({ ...claims, ...times });
    assert.equal(status, error === "unauthorized_client" ? 401 : 400);
    assert.equal(json["error"], error);
    assert.match(String(json["error_description"]), why);
  });
}

test("an assertion that another key signed is refused, and so is an unknown key id", async () => {
  for (const { json } of [await exchange({}, foreign), await exchange({}, ours, "unknown")]) {
    assert.deepEqual(json, { error: "invalid_grant", error_description: "Invalid JWT Signature." });
  }
});

test("an unsigned assertion is refused", async () => {
  const [, payload] = (await sign({ scope: KMS_SCOPE, aud: `${emulator.url}/token` })).split(".");
  const header = Buffer.from(JSON.stringify({ alg: "none", kid: account["private_key_id"] })).toString("base64url");
  const form = { grant_type: "urn:ietf:params:oauth:grant-type:jwt-bearer", assertion: `${header}.${payload}.` };
  assert.equal((await ask(emulator, "POST", "/token", { form })).json["error"], "invalid_grant");
});

test("a refresh token becomes a token of its user", async () => {
  const { json } = await refresh({});
  emulator.admin.resetRequests();
  assert.equal((await useKey(String(json["access_token"]))).status, 200);
  assert.equal(emulator.admin.requests().requests[0]?.principal, "developer@example.com");
});

const BAD_REFRESHES = [
  { name: "an unknown client", form: { client_id: "x" }, status: 401, error: "invalid_client" },
  { name: "a wrong client secret", form: { client_secret: "x" }, status: 401, error: "invalid_client" },
  { name: "an unknown refresh token", form: { refresh_token: "x" }, status: 400, error: "invalid_grant" },
  { name: "an unknown grant type", form: { grant_type: "password" }, status: 400, error: "unsupported_grant_type" },
];
for (const { name, form, status, error } of BAD_REFRESHES) {
  test(`${name} is refused with ${error}`, async () => {
    const refused = await refresh(form);
    assert.deepEqual([refused.status, refused.json["error"]], [status, error]);
  });
}

test("a JWT that a service account signed for itself is a bearer token, by scope or by audience", async () => {
  assert.equal((await useKey(await sign({ scope: KMS_SCOPE }))).status, 200);
  assert.equal((await useKey(await sign({ aud: "https://cloudkms.googleapis.com/" }))).status, 200);
  assert.equal((await useKey(await sign({ aud: "https://cloudkms.europe-west1.rep.googleapis.com/" }))).status, 200);
});

test("a self-signed JWT expires, and can be ended before", async () => {
  const early = await sign({ scope: KMS_SCOPE, jti: "1" });
  assert.equal((await useKey(early)).status, 200);
  emulator.admin.expireTokens();
  assert.equal((await useKey(early)).status, 401);
  const late = await sign({ scope: KMS_SCOPE, jti: "2" });
  assert.equal((await useKey(late)).status, 200);
  clock.advance(3_600_000);
  assert.equal((await useKey(late)).status, 401);
});

const BAD_BEARERS = [
  { name: "for another service", claims: { aud: "https://storage.googleapis.com/" } },
  { name: "with neither scope nor audience", claims: {} },
  { name: "whose subject is another", claims: { scope: KMS_SCOPE, sub: "boss@example.com" } },
];
for (const { name, claims } of BAD_BEARERS) {
  test(`a self-signed JWT ${name} is refused`, async () => {
    assert.equal(errorOf(await useKey(await sign(claims))).status, "UNAUTHENTICATED");
  });
}

test("a self-signed JWT of another key is refused", async () => {
  assert.equal((await useKey(await sign({ scope: KMS_SCOPE }, foreign))).status, 401);
});

test("no token, an unknown token and a token of another scheme are all 401", async () => {
  const path = `/v1/${freshKey()}:encrypt`;
  const missing = errorOf(await ask(emulator, "POST", path, { body: {} }));
  assert.deepEqual([missing.code, missing.details[0]?.["reason"]], [401, "CREDENTIALS_MISSING"]);
  assert.equal((await useKey("emulated.oauth.unknown")).status, 401);
  assert.equal((await ask(emulator, "GET", path, { headers: { authorization: "Basic eA==" } })).status, 404);
  assert.equal((await ask(emulator, "POST", path, { headers: { authorization: "Basic eA==" } })).status, 401);
});

test("a token whose scope is not for Cloud KMS is 403", async () => {
  const { json } = await exchange({ scope: "https://www.googleapis.com/auth/devstorage.read_only" });
  const { code, message } = errorOf(await useKey(String(json["access_token"])));
  assert.deepEqual([code, message], [403, "Request had insufficient authentication scopes."]);
});

test("a principal that was revoked gets no more tokens", async () => {
  const { client_email: email } = await emulator.admin.createServiceAccountKey("gone@example.com");
  emulator.admin.revoke(email);
  emulator.admin.revoke("developer@example.com");
  const refused = await refresh({});
  assert.deepEqual(refused.json, { error: "invalid_grant", error_description: "Token has been expired or revoked." });
});
