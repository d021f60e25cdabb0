import assert from "node:assert/strict";
import { after, beforeEach, test } from "node:test";
import type { JSONWebKeySet } from "jose";
import { OAuth2Server } from "oauth2-mock-server";
import { AUDIENCE, POOL, startFederation } from "../fakes/federation.ts";
import { getError, getToken } from "../fakes/token-set-up.ts";

const federation = await startFederation();
const oidc = new OAuth2Server();
await oidc.issuer.keys.generate("RS256");
await oidc.start(0, "127.0.0.1");
after(async () => {
  await oidc.stop();
  await federation[Symbol.asyncDispose]();
});
const { emulator, folder, credential, create } = federation;
const issuer = oidc.issuer.url ?? "";

async function getJson(url: string): Promise<Record<string, unknown>> {
  return (await (await fetch(url)).json()) as Record<string, unknown>;
}

/** A pool learns an issuer's keys from its discovery document, as Google does. */
const discovery = await getJson(`${issuer}/.well-known/openid-configuration`);
const jwks = (await getJson(String(discovery["jwks_uri"]))) as unknown as JSONWebKeySet;
await emulator.admin.addIssuer({ issuer: String(discovery["issuer"]), jwks });

let claims: Record<string, unknown> = {};
oidc.service.on("beforeTokenSigning", (token: { payload: object }) => Object.assign(token.payload, claims));
beforeEach(() => {
  claims = { sub: "repo:acme/app:ref:refs/heads/main", aud: `https:${AUDIENCE}` };
});

/** As a CI job gets its token. */
async function askForToken(): Promise<string> {
  const body = new URLSearchParams({ grant_type: "client_credentials" });
  const response = await fetch(String(discovery["token_endpoint"]), { method: "POST", body });
  const { access_token: token } = (await response.json()) as { access_token: string };
  return token;
}

async function createHolder() {
  const { path } = await folder.write("oidc.jwt", await askForToken());
  return create(credential({ file: path }));
}

test("a subject token of an OIDC server that is not ours becomes a token that Cloud KMS takes", async () => {
  const token = await getToken(await createHolder());
  const principal = `principal://iam.googleapis.com/${POOL}/subject/repo:acme/app:ref:refs/heads/main`;
  assert.equal(token.principal, principal);
  const key = "projects/p/locations/global/keyRings/r/cryptoKeys/k";
  emulator.admin.setAccess(key, [{ principals: [principal], operations: ["encrypt"] }]);
  const response = await fetch(`${emulator.url}/v1/${key}:encrypt`, {
    method: "POST",
    headers: { authorization: `Bearer ${token.accessToken.reveal()}` },
    body: JSON.stringify({ plaintext: "AAAA" }),
  });
  assert.equal(response.status, 200, await response.text());
});

for (const [name, changes] of [
  ["for another audience", { aud: "https://example.com" }],
  ["that has expired", { iat: 1000, exp: 2000 }],
] as const) {
  test(`one ${name} is refused with google's code and what to do`, async () => {
    Object.assign(claims, changes);
    const error = await getError(await createHolder());
    assert.match(error.message, /HTTP 400 invalid_grant/);
    assert.match(error.message, /as: principal:\/\/.*repo:acme\/app/);
    assert.match(error.message, /\nto do: /);
  });
}

test("one that was signed with keys that the issuer does not publish is refused", async () => {
  const other = new OAuth2Server();
  await other.issuer.keys.generate("RS256");
  other.issuer.url = issuer;
  const token = await other.issuer.buildToken({
    scopesOrTransform: (_header, payload) => Object.assign(payload, claims),
  });
  const { path } = await folder.write("forged.jwt", token);
  assert.match((await getError(await create(credential({ file: path })))).message, /HTTP 400 invalid_grant/);
});
