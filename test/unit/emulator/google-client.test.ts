import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { after, test } from "node:test";
import { type ChannelCredentials, credentials } from "@grpc/grpc-js";
import { IdentityPoolClient, type IdentityPoolClientOptions, OAuth2Client } from "google-auth-library";
import { startEmulator } from "../../../src/emulator/emulator.ts";
import { createCertificate } from "../../fakes/certificates.ts";
import { readJson, staticToken } from "./fixtures.ts";

// Proof from outside: Google's own client must take the emulator for Cloud KMS. Its types are
// as large as its API, so what is used of it is written down here.
process.env["METADATA_SERVER_DETECTION"] = "none";

const SCOPES = ["https://www.googleapis.com/auth/cloudkms"];

interface Resource {
  readonly name?: string;
  readonly state?: string;
}
interface Int64 {
  readonly value: string | number;
}
interface Encrypted extends Resource {
  readonly ciphertext: Uint8Array;
  readonly ciphertextCrc32c: Int64;
  readonly verifiedPlaintextCrc32c: boolean;
}
interface Decrypted {
  readonly plaintext: Uint8Array;
  readonly usedPrimary: boolean;
}
type Rpc<T> = (request: object, options?: object) => Promise<[T]>;
interface KmsClient {
  readonly createKeyRing: Rpc<Resource>;
  readonly listKeyRings: Rpc<readonly Resource[]>;
  readonly createCryptoKey: Rpc<Resource & { readonly primary: Resource }>;
  readonly getCryptoKey: Rpc<Resource & { readonly primary: Resource }>;
  readonly encrypt: Rpc<Encrypted>;
  readonly decrypt: Rpc<Decrypted>;
  readonly createCryptoKeyVersion: Rpc<Resource>;
  readonly listCryptoKeyVersions: Rpc<readonly Resource[]>;
  readonly updateCryptoKeyPrimaryVersion: Rpc<Resource & { readonly primary: Resource }>;
  readonly updateCryptoKeyVersion: Rpc<Resource>;
  readonly destroyCryptoKeyVersion: Rpc<Resource>;
  readonly restoreCryptoKeyVersion: Rpc<Resource>;
  close(): Promise<void>;
}
interface KmsModule {
  readonly KeyManagementServiceClient: new (options: object) => KmsClient;
}

const require = createRequire(import.meta.url);

const tls = createCertificate({ name: "emulator", address: "localhost" });
const emulator = await startEmulator({ strict: true, tls });
after(() => emulator.close());

const CLIENTS: Readonly<Record<string, () => Promise<KmsClient>>> = {
  rest: createRestClient,
  grpc: () => createGrpcClient(credentials.createInsecure()),
  "grpc over tls": () => createGrpcClient(credentials.createSsl(Buffer.from(tls.certificate))),
};

for (const [name, createClient] of Object.entries(CLIENTS)) {
  test(`Google's own client does everything with keys that sops-keyd's users do, by ${name}`, async (t) => {
    const client = await createClient();
    t.after(() => client.close());
    await useKeys(client, `projects/${name.replaceAll(" ", "-")}/locations/europe-west1`);
  });

  test(`Google's own client sees Google's errors: a missing key is code 5, by ${name}`, async (t) => {
    const client = await createClient();
    t.after(() => client.close());
    const key = "projects/p/locations/global/keyRings/none/cryptoKeys/none";
    await assert.rejects(client.getCryptoKey({ name: key }), { code: 5, message: /CryptoKey .* not found/ });
  });
}

async function useKeys(client: KmsClient, parent: string): Promise<void> {
  const [ring] = await client.createKeyRing({ parent, keyRingId: "r", keyRing: {} });
  assert.equal(ring.name, `${parent}/keyRings/r`);
  const [rings] = await client.listKeyRings({ parent });
  assert.deepEqual(
    rings.map(({ name }) => name),
    [ring.name],
  );

  const cryptoKey = { purpose: "ENCRYPT_DECRYPT" };
  const [key] = await client.createCryptoKey({ parent: ring.name, cryptoKeyId: "k", cryptoKey });
  const name = `${parent}/keyRings/r/cryptoKeys/k`;
  assert.equal(key.name, name);
  assert.equal(key.primary.name, `${name}/cryptoKeyVersions/1`);

  const plaintext = Buffer.from("123456789");
  // The check value of CRC-32C: 0xe3069283.
  const plaintextCrc32c = { value: "3808858755" };
  const [first] = await client.encrypt({ name, plaintext, plaintextCrc32c });
  assert.equal(first.name, `${name}/cryptoKeyVersions/1`);
  assert.equal(first.verifiedPlaintextCrc32c, true);
  const [opened] = await client.decrypt({
    name,
    ciphertext: first.ciphertext,
    ciphertextCrc32c: first.ciphertextCrc32c,
  });
  assert.deepEqual(Buffer.from(opened.plaintext), plaintext);
  assert.equal(opened.usedPrimary, true);

  const [second] = await client.createCryptoKeyVersion({ parent: name, cryptoKeyVersion: {} });
  assert.equal(second.name, `${name}/cryptoKeyVersions/2`);
  const [rotated] = await client.updateCryptoKeyPrimaryVersion({ name, cryptoKeyVersionId: "2" });
  assert.equal(rotated.primary.name, second.name);
  const [old] = await client.decrypt({ name, ciphertext: first.ciphertext });
  assert.equal(old.usedPrimary, false);

  const version = { name: `${name}/cryptoKeyVersions/1`, state: "DISABLED" };
  const [disabled] = await client.updateCryptoKeyVersion({
    cryptoKeyVersion: version,
    updateMask: { paths: ["state"] },
  });
  assert.equal(disabled.state, "DISABLED");
  await assert.rejects(client.decrypt({ name, ciphertext: first.ciphertext }), /is not enabled/);
  const [destroyed] = await client.destroyCryptoKeyVersion({ name: version.name });
  assert.equal(destroyed.state, "DESTROY_SCHEDULED");
  const [restored] = await client.restoreCryptoKeyVersion({ name: version.name });
  assert.equal(restored.state, "DISABLED");
  const [versions] = await client.listCryptoKeyVersions({ parent: name });
  assert.equal(versions.length, 2);
}

/** Over plain HTTP to the emulator, with the federated identity of the file that the emulator wrote. */
async function createRestClient(): Promise<KmsClient> {
  const { KeyManagementServiceClient } = require("@google-cloud/kms") as KmsModule;
  const credential = await readJson(emulator.files.externalAccount);
  const authClient = new IdentityPoolClient({
    ...(credential as unknown as IdentityPoolClientOptions),
    scopes: SCOPES,
  });
  const address = { protocol: "http", apiEndpoint: "127.0.0.1", port: emulator.port };
  return new KeyManagementServiceClient({ ...address, fallback: true, authClient, projectId: "p" });
}

/** Channels in clear text carry no credentials of their own: the token is a call's metadata, as it is in sops-keyd. */
async function createGrpcClient(sslCreds: ChannelCredentials): Promise<KmsClient> {
  const { KeyManagementServiceClient } = require("@google-cloud/kms") as KmsModule;
  const bound = { retry: null, timeout: 5_000 };
  const headers = { authorization: `Bearer ${await staticToken(emulator)}` };
  const address = { apiEndpoint: "localhost", port: emulator.port };
  const client = new KeyManagementServiceClient({
    ...address,
    sslCreds,
    authClient: new OAuth2Client(),
    projectId: "p",
  });
  // Asynchronous functions look for a `then` in whatever they return.
  return new Proxy(client, {
    get: (target, method: keyof KmsClient) =>
      method in target && ((request: object) => target[method](request, { ...bound, otherArgs: { headers } })),
  });
}
