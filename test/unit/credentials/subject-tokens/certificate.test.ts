import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { after, test } from "node:test";
import type { TLSSocket } from "node:tls";
import { createCertificate, type TestCertificate } from "../../../fakes/certificates.ts";
import { MTLS_TYPE, startFederation } from "../../../fakes/federation.ts";
import { getError, getToken } from "../../../fakes/token-set-up.ts";

const federation = await startFederation();
after(() => federation[Symbol.asyncDispose]());
const { emulator, folder, credential, create } = federation;
const authority = createCertificate({ name: "root", authority: true });
emulator.admin.addCertificateAuthority(authority.certificate);

let written = 0;

async function source(leaf: TestCertificate, key: string, chain?: string): Promise<Record<string, unknown>> {
  const n = ++written;
  const cert = await folder.write(`${n}.crt`, leaf.certificate);
  const workload = { cert_path: cert.path, key_path: (await folder.write(`${n}.key`, key)).path };
  const config = await folder.write(`${n}.json`, { cert_configs: { workload } });
  const trust = chain === undefined ? {} : { trust_chain_path: (await folder.write(`${n}.pem`, chain)).path };
  const certificate = { certificate_config_location: config.path, ...trust };
  return credential({ certificate }, { subject_token_type: MTLS_TYPE });
}

test("the certificate is shown in the TLS handshake with the security token service", async () => {
  const server = createCertificate({ name: "sts", issuer: authority, address: "127.0.0.1" });
  const leaf = createCertificate({ name: "workload", issuer: authority });
  const seen: string[] = [];
  const https = createServer(
    { cert: server.certificate, key: server.privateKey, ca: authority.certificate, requestCert: true },
    (request, response) => {
      const socket = request.socket as TLSSocket;
      seen.push(`${socket.authorized} ${String(socket.getPeerCertificate().subject.CN)}`);
      response.end(JSON.stringify({ access_token: "a-token-over-tls", expires_in: 3600 }));
    },
  );
  https.listen(0, "127.0.0.1");
  await once(https, "listening");
  try {
    const sts = `https://127.0.0.1:${(https.address() as AddressInfo).port}`;
    const { path: caFile } = await folder.write("ca.pem", authority.certificate);
    const file = { ...(await source(leaf, leaf.privateKey)), token_url: "https://sts.mtls.googleapis.com/v1/token" };
    const token = await getToken(await create(file, {}, { sts, caFile }));
    assert.equal(token.accessToken.reveal(), "a-token-over-tls");
    assert.deepEqual(seen, ["true workload"]);
  } finally {
    https.closeAllConnections();
    https.close();
  }
});

test("the default certificate config is found where gcloud puts it, or where the variable says", async () => {
  const leaf = createCertificate({ name: "workload", issuer: authority });
  const cert = await folder.write("default.crt", leaf.certificate);
  const key = await folder.write("default.key", leaf.privateKey);
  const workload = { cert_path: cert.path, key_path: key.path };
  const config = await folder.write("certificate_config.json", { cert_configs: { workload } });
  const file = credential({ certificate: { use_default_certificate_config: true } }, { subject_token_type: MTLS_TYPE });
  for (const variables of [{ CLOUDSDK_CONFIG: folder.path }, { GOOGLE_API_CERTIFICATE_CONFIG: config.path }]) {
    assert.match((await getToken(await create(file, {}, { variables }))).principal ?? "", /subject\/workload$/);
  }
  assert.match((await getError(await create(file, {}, { variables: { HOME: "/nonexistent" } }))).message, /gcloud/);
});

test("a certificate of an authority that the pool does not trust is refused", async () => {
  const stranger = createCertificate({ name: "stranger", authority: true });
  const leaf = createCertificate({ name: "workload", issuer: stranger });
  const error = await getError(await create(await source(leaf, leaf.privateKey)));
  assert.match(error.message, /HTTP 400 invalid_grant/);
});

test("a certificate that has expired is refused", async () => {
  const leaf = createCertificate({ name: "workload", issuer: authority, notAfter: new Date(Date.now() - 1000) });
  const error = await getError(await create(await source(leaf, leaf.privateKey)));
  assert.match(error.message, /HTTP 400 invalid_grant/);
});

const leaf = createCertificate({ name: "workload", issuer: authority });
const other = createCertificate({ name: "other", issuer: authority });
for (const [name, file, expected] of [
  ["with a key that is another's", source(leaf, other.privateKey), /does not hold the key of certificate/],
  ["with a key that is none", source(leaf, "canary-key"), /does not hold the key of certificate/],
  ["that is none", source({ ...leaf, certificate: "canary" }, leaf.privateKey), /not hold a certificate in PEM form/],
  [
    "that is not the first of its chain",
    source(leaf, leaf.privateKey, authority.certificate + leaf.certificate),
    /but not as the first/,
  ],
] as const) {
  test(`a certificate ${name} is refused before anything is sent`, async () => {
    emulator.admin.resetRequests();
    const error = await getError(await create(await file));
    assert.equal(error.code, "credential_rejected");
    assert.match(error.message, expected);
    assert.doesNotMatch(error.message, /canary/);
    assert.deepEqual(emulator.admin.requests().counts, {});
  });
}
