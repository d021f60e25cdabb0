import assert from "node:assert/strict";
import { readFile, watch } from "node:fs/promises";
import { after, test } from "node:test";
import { exportJWK, generateKeyPair, SignJWT } from "jose";
import { startEmulator } from "../../../src/emulator/emulator.ts";
import { type Answer, ask, createTestClock, freshKey, readJson } from "./fixtures.ts";

const clock = createTestClock();
const emulator = await startEmulator({ clock });
after(() => emulator.close());
const { audience = "", token_url } = await readJson(emulator.files.externalAccount);

const WORKFORCE = "//iam.googleapis.com/locations/global/workforcePools/staff/providers/oidc";
const JWT_TYPE = "urn:ietf:params:oauth:token-type:jwt";

function exchange(subjectToken: string, form: Readonly<Record<string, string>> = {}): Promise<Answer> {
  const usual = {
    grant_type: "urn:ietf:params:oauth:grant-type:token-exchange",
    requested_token_type: "urn:ietf:params:oauth:token-type:access_token",
    subject_token_type: JWT_TYPE,
    subject_token: subjectToken,
    scope: "https://www.googleapis.com/auth/cloud-platform",
    audience,
  };
  return ask(emulator, "POST", "/v1/token", { form: { ...usual, ...form } });
}

async function principalOf(answer: Answer): Promise<string | undefined> {
  assert.equal(answer.status, 200, answer.text);
  emulator.admin.resetRequests();
  const token = String(answer.json["access_token"]);
  await ask(emulator, "POST", `/v1/${freshKey()}:encrypt`, { token, body: { plaintext: "eA==" } });
  return emulator.admin.requests().requests[0]?.principal;
}

test("the subject token in the file becomes a token of the federated principal", async () => {
  assert.equal(token_url, `${emulator.url}/v1/token`);
  const answer = await exchange(await readFile(emulator.files.subjectToken, "utf8"));
  assert.equal(answer.json["issued_token_type"], "urn:ietf:params:oauth:token-type:access_token");
  assert.equal(await principalOf(answer), emulator.principals.federated);
});

test("each subject is a principal of its own", async () => {
  const answer = await exchange(await emulator.admin.issueSubjectToken({ subject: "repo:acme/app:ref:main" }));
  assert.equal(
    await principalOf(answer),
    "principal://iam.googleapis.com/projects/123456789012/locations/global/workloadIdentityPools/emulated-pool/subject/repo:acme/app:ref:main",
  );
});

test("a workforce pool's principal is named without a project", async () => {
  const subjectToken = await emulator.admin.issueSubjectToken({ subject: "ann", audience: WORKFORCE });
  const answer = await exchange(subjectToken, { audience: WORKFORCE });
  const expected = "principal://iam.googleapis.com/locations/global/workforcePools/staff/subject/ann";
  assert.equal(await principalOf(answer), expected);
});

test("tokens of an issuer with its own keys are verified against the set that was registered", async () => {
  const [known, unknown] = await Promise.all([generateKeyPair("RS256"), generateKeyPair("RS256")]);
  const jwk = { ...(await exportJWK(known.publicKey)), kid: "1", alg: "RS256" };
  await emulator.admin.addIssuer({ issuer: "https://ci.example.com", jwks: { keys: [jwk] }, audiences: ["ci"] });
  const iat = Math.floor(clock.nowMs() / 1000);
  const sign = (key: CryptoKey, aud: string): Promise<string> =>
    new SignJWT({ iss: "https://ci.example.com", sub: "job", aud, iat, exp: iat + 60 })
      .setProtectedHeader({ alg: "RS256", kid: "1" })
      .sign(key);
  assert.equal((await exchange(await sign(known.privateKey, "ci"))).status, 200);
  assert.equal((await exchange(await sign(unknown.privateKey, "ci"))).json["error"], "invalid_grant");
  assert.equal((await exchange(await sign(known.privateKey, "other"))).json["error"], "invalid_grant");
  await assert.rejects(
    emulator.admin.issueSubjectToken({ subject: "x", issuer: "https://ci.example.com" }),
    /no signing key/,
  );
});

const BAD_SUBJECTS = [
  { name: "an expired subject token", request: { subject: "s", lifetimeMs: -1000 }, why: /stale/ },
  { name: "a subject token for another audience", request: { subject: "s", audience: "x" }, why: /aud claim/ },
  {
    name: "a subject token without a subject",
    request: { subject: "s", claims: { sub: undefined } },
    why: /sub claim/,
  },
  { name: "a subject token of an unknown issuer", request: { subject: "s", claims: { iss: "x" } }, why: /issuer/ },
];
for (const { name, request, why } of BAD_SUBJECTS) {
  test(`${name} is refused with invalid_grant`, async () => {
    const { status, json } = await exchange(await emulator.admin.issueSubjectToken(request));
    assert.deepEqual([status, json["error"]], [400, "invalid_grant"]);
    assert.match(String(json["error_description"]), why);
  });
}

const BAD_REQUESTS = [
  { name: "an audience that is no provider", form: { audience: "//iam.googleapis.com/x" }, error: "invalid_target" },
  { name: "no scope", form: { scope: "" }, error: "invalid_scope" },
  { name: "a subject token type that cannot be verified", form: { subject_token_type: "x" }, error: "invalid_request" },
  { name: "another requested type", form: { requested_token_type: "x" }, error: "invalid_request" },
  { name: "another grant type", form: { grant_type: "x" }, error: "unsupported_grant_type" },
];
for (const { name, form, error } of BAD_REQUESTS) {
  test(`${name} is refused with ${error}`, async () => {
    const { json } = await exchange(await emulator.admin.issueSubjectToken({ subject: "s" }), form);
    assert.equal(json["error"], error);
  });
}

test("the subject token file is renewed long before its token expires", { timeout: 5000 }, async (t) => {
  const before = await readFile(emulator.files.subjectToken, "utf8");
  const watching = new AbortController();
  t.after(() => watching.abort());
  const changes = watch(emulator.files.directory, { signal: watching.signal });
  // The first step starts the watching: it must come before the change.
  let next = changes.next();
  clock.advance(12 * 3_600_000);
  while ((await readFile(emulator.files.subjectToken, "utf8")) === before) {
    await next;
    next = changes.next();
  }
  next.catch(() => {});
  clock.advance(13 * 3_600_000);
  assert.equal((await exchange(before)).json["error"], "invalid_grant");
  assert.equal((await exchange(await readFile(emulator.files.subjectToken, "utf8"))).status, 200);
});
