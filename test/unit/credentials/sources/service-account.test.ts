import assert from "node:assert/strict";
import { createPublicKey, generateKeyPairSync } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { test } from "node:test";
import { decodeProtectedHeader, jwtVerify } from "jose";
import type { TokenSourceConfig } from "../../../../src/config/config.ts";
import { serviceAccountKey } from "../../../fakes/token-credentials.ts";
import { ACCOUNT } from "../../../fakes/token-endpoint.ts";
import { configureGoogle } from "../../../fakes/token-google.ts";
import { getError, getToken, setUpTokens, type TokenSetUp } from "../../../fakes/token-set-up.ts";

async function createHolder(
  setUp: TokenSetUp,
  grant: "self_signed" | "oauth",
  changes: Record<string, unknown> = {},
  google = setUp.endpoint.google,
) {
  const credential = await setUp.folder.write("key.json", serviceAccountKey(setUp.endpoint.privateKeyPem, changes));
  const config: TokenSourceConfig = { type: "service_account", credential, grant };
  return { holder: setUp.create({ subject: config }, { google })("subject"), path: credential.path };
}

test("a key signs its own token: RS256, with its key id, the scope of Cloud KMS and an hour to live", async () => {
  await using setUp = await setUpTokens();
  const { holder, path } = await createHolder(setUp, "self_signed");
  const token = await getToken(holder);
  const jwt = token.accessToken.reveal();
  const { payload } = await jwtVerify(jwt, createPublicKey(setUp.endpoint.privateKeyPem), { algorithms: ["RS256"] });
  assert.equal(payload.iss, ACCOUNT);
  assert.equal(payload.sub, ACCOUNT);
  assert.equal(payload["scope"], "https://www.googleapis.com/auth/cloudkms");
  assert.equal(payload.aud, undefined);
  assert.equal((payload.exp ?? 0) - (payload.iat ?? 0), 3600);
  assert.equal(token.expiresAtMs, (payload.exp ?? 0) * 1000);
  assert.equal(decodeProtectedHeader(jwt).kid, "0123456789abcdef");
  assert.deepEqual(token.steps, [`key of ${ACCOUNT} from file ${path}`, "self-signed JWT"]);
  assert.equal(setUp.endpoint.requests.length, 0, "nobody is asked");
});

test("a rotated key is used without a restart", async () => {
  await using setUp = await setUpTokens();
  const { holder, path } = await createHolder(setUp, "self_signed");
  const first = await getToken(holder);
  const next = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const pem = next.privateKey.export({ type: "pkcs8", format: "pem" }).toString();
  await writeFile(path, JSON.stringify(serviceAccountKey(pem)));
  holder.invalidate(first.generation);
  await jwtVerify((await getToken(holder)).accessToken.reveal(), next.publicKey);
});

test("the OAuth grant sends a signed assertion and says where", async () => {
  await using setUp = await setUpTokens();
  const { holder } = await createHolder(setUp, "oauth");
  const token = await getToken(holder);
  assert.ok(setUp.endpoint.issued.has(token.accessToken.reveal()));
  assert.equal(token.steps[1], "OAuth grant at oauth2.googleapis.com");
  const [request] = setUp.endpoint.requests;
  assert.equal(request?.method, "POST");
  assert.equal(request?.path, "/token");
  assert.match(request?.headers["content-type"] ?? "", /^application\/x-www-form-urlencoded/);
});

test("the OAuth grant goes where the key file's token_uri says, if that may be asked", async () => {
  await using setUp = await setUpTokens();
  const { url } = setUp.endpoint;
  // Named for another purpose, which is enough: the file may send us to any endpoint of the config.
  const google = configureGoogle({ sts: url });
  const { holder } = await createHolder(setUp, "oauth", { token_uri: `${url}/token` }, google);
  // The endpoint takes assertions for Google alone; that it was asked, with its own address as audience, is the point.
  assert.match((await getError(holder)).message, /127\.0\.0\.1:\d+ refused to give a token \(HTTP 400 invalid_grant\)/);
  const assertion = new URLSearchParams(setUp.endpoint.requests[0]?.body).get("assertion") ?? "";
  const claims = JSON.parse(Buffer.from(assertion.split(".")[1] ?? "", "base64url").toString());
  assert.equal(claims.aud, `${url}/token`);
});

test("a token_uri that leads elsewhere is refused, and nothing is sent", async () => {
  await using setUp = await setUpTokens();
  for (const token_uri of [
    "https://evil.example/token",
    "http://169.254.169.254/token",
    `${setUp.endpoint.url}/token`,
  ]) {
    const { holder } = await createHolder(setUp, "oauth", { token_uri }, configureGoogle({}));
    const error = await getError(holder);
    assert.equal(error.code, "credential_rejected");
    assert.match(error.message, /"token_uri" in file .*key\.json names .* which is refused/);
  }
  assert.equal(setUp.endpoint.requests.length, 0);
});

const UNUSABLE = [
  { changes: { client_email: undefined }, says: /"client_email" is missing/ },
  { changes: { private_key: undefined }, says: /"private_key" is missing/ },
  { changes: { private_key: "canary-not-pem" }, says: /"private_key" is not an RSA key in PEM form/ },
  { changes: { private_key: 7 }, says: /"private_key" is not text/ },
  { changes: { token_uri: "canary" }, says: /"token_uri" is not a URL/ },
  { changes: { universe_domain: "other.example" }, says: /of another universe than the config's googleapis.com/ },
  { changes: { type: "authorized_user" }, says: /the config says service_account, but .* is of another type/ },
];

for (const { changes, says } of UNUSABLE) {
  test(`a key file with ${JSON.stringify(changes)} is refused with the field's name, not its content`, async () => {
    await using setUp = await setUpTokens();
    const { holder } = await createHolder(setUp, "self_signed", changes);
    const error = await getError(holder);
    assert.equal(error.code, "credential_rejected");
    assert.match(error.message, says);
    assert.match(error.message, /key\.json/);
    assert.doesNotMatch(error.message, /canary/);
  });
}

test("a deleted key is told as such", async () => {
  await using setUp = await setUpTokens();
  const { holder } = await createHolder(setUp, "oauth");
  const body = { error: "invalid_grant", error_description: "Invalid JWT Signature." };
  setUp.endpoint.trouble = { status: 400, body };
  const { message } = await getError(holder);
  assert.match(message, /oauth2|127\.0\.0\.1/);
  assert.match(message, new RegExp(`token source: subject, as: ${ACCOUNT}`));
  assert.match(message, /to do: the key was deleted or belongs to another account/);
});
