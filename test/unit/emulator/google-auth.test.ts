import assert from "node:assert/strict";
import { after, test } from "node:test";
import {
  Compute,
  IdentityPoolClient,
  type IdentityPoolClientOptions,
  Impersonated,
  JWT,
  UserRefreshClient,
} from "google-auth-library";
import { startEmulator } from "../../../src/emulator/emulator.ts";
import { ask, freshKey, readJson } from "./fixtures.ts";

// Proof from outside: Google's own library gets its tokens here, and Cloud KMS knows them.
const emulator = await startEmulator();
after(() => emulator.close());
process.env["METADATA_SERVER_DETECTION"] = "none";
process.env["GCE_METADATA_HOST"] = `127.0.0.1:${emulator.port}`;

const KMS_SCOPE = "https://www.googleapis.com/auth/cloudkms";
const { files, principals } = emulator;

async function principalOf(authorization: string | null | undefined): Promise<string | undefined> {
  const headers = { authorization: String(authorization) };
  const { status } = await ask(emulator, "POST", `/v1/${freshKey()}:encrypt`, { headers, body: { plaintext: "eA==" } });
  assert.equal(status, 200);
  return emulator.admin.requests().requests.at(-1)?.principal;
}

async function bearer(client: { getAccessToken(): Promise<{ token?: string | null }> }): Promise<string> {
  return `Bearer ${(await client.getAccessToken()).token}`;
}

async function createServiceAccountClient(scopes: string[]): Promise<JWT> {
  const {
    client_email: email = "",
    private_key: key = "",
    private_key_id: keyId = "",
  } = await readJson(files.serviceAccount);
  return new JWT({ email, key, keyId, scopes });
}

async function createFederatedClient(path: string): Promise<IdentityPoolClient> {
  return new IdentityPoolClient((await readJson(path)) as unknown as IdentityPoolClientOptions);
}

test("Compute gets the token of the machine, or of another attached account", async () => {
  assert.equal(await principalOf(await bearer(new Compute())), principals.metadata);
  const serviceAccountEmail = principals.secondServiceAccount;
  assert.equal(await principalOf(await bearer(new Compute({ serviceAccountEmail }))), serviceAccountEmail);
});

test("JWT signs for itself, with a scope", async () => {
  const client = await createServiceAccountClient([KMS_SCOPE]);
  client.useJWTAccessWithScope = true;
  const headers = await client.getRequestHeaders("https://cloudkms.googleapis.com/");
  assert.equal(await principalOf(headers.get("authorization")), principals.serviceAccount);
});

test("JWT signs for itself, with an audience", async () => {
  const client = await createServiceAccountClient([]);
  const headers = await client.getRequestHeaders("https://cloudkms.googleapis.com/");
  assert.equal(await principalOf(headers.get("authorization")), principals.serviceAccount);
});

test("IdentityPoolClient exchanges the subject token in the file", async () => {
  assert.equal(
    await principalOf(await bearer(await createFederatedClient(files.externalAccount))),
    principals.federated,
  );
});

test("IdentityPoolClient impersonates where its file says so", async () => {
  const client = await createFederatedClient(files.externalAccountImpersonating);
  assert.equal(await principalOf(await bearer(client)), principals.impersonated);
});

test("Impersonated takes a federated identity as its source", async () => {
  const sourceClient = await createFederatedClient(files.externalAccount);
  const targetPrincipal = principals.impersonated;
  const client = new Impersonated({ sourceClient, targetPrincipal, targetScopes: [KMS_SCOPE], endpoint: emulator.url });
  assert.equal(await principalOf(await bearer(client)), targetPrincipal);
});

test("UserRefreshClient refreshes, once it is told where", async () => {
  const user = await readJson(files.authorizedUser);
  const client = new UserRefreshClient({
    clientId: String(user["client_id"]),
    clientSecret: String(user["client_secret"]),
    refreshToken: String(user["refresh_token"]),
    endpoints: { oauth2TokenUrl: `${emulator.url}/token` },
  });
  assert.equal(await principalOf(await bearer(client)), principals.user);
});
