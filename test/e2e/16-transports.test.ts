import assert from "node:assert/strict";
import { createCertificate } from "../fakes/certificates.ts";
import { assertSucceeded, unwrapped } from "./harness/assert-outcome.ts";
import { type Bench, googleVariables, testWithDirectSops, testWithSops } from "./harness/bench.ts";
import { configFor, KEY, SHOP_KEYS } from "./harness/config.ts";

const PLAIN = "password: by gRPC\n";

/** The shop's keys, asked by gRPC. */
function overGrpc(kms: object = {}): { readonly rules: readonly object[] } {
  return { rules: [{ name: "shop", match: SHOP_KEYS, tokenSource: "shop", kms: { transport: "grpc", ...kms } }] };
}

/** An emulator that takes TLS, and the file with its certificate. */
async function startTlsEmulator(bench: Bench) {
  const tls = createCertificate({ name: "emulator", address: "127.0.0.1" });
  const caFile = bench.write("emulator.crt", tls.certificate);
  return { emulator: await bench.startEmulator({ tls }), caFile };
}

testWithSops("files are made, edited and opened where sops-keyd asks Cloud KMS by gRPC", async (bench) => {
  const keyd = await bench.serve(bench.writeConfig(overGrpc()));
  bench.write("secret.yaml", PLAIN);
  assertSucceeded(await bench.sops(keyd, ["encrypt", "--gcp-kms", KEY, "-i", "secret.yaml"]));
  const editor = bench.write("editor", '#!/bin/sh\necho "password: edited" >"$1"\n', 0o700);
  assertSucceeded(await bench.sops(keyd, ["edit", "secret.yaml"], { EDITOR: editor }));
  assert.equal(assertSucceeded(await bench.sops(keyd, ["decrypt", "secret.yaml"])).stdout, "password: edited\n");
  const { counts } = bench.emulator.admin.requests();
  assert.deepEqual([counts["kms.encrypt"], counts["kms.decrypt"], counts["unknown"]], [1, 2, undefined]);
});

testWithSops("a refusal by gRPC reads as one by REST does", async (bench) => {
  const keyd = await bench.serve(bench.writeConfig(overGrpc()));
  bench.write("secret.yaml", PLAIN);
  assertSucceeded(await bench.sops(keyd, ["encrypt", "--gcp-kms", KEY, "-i", "secret.yaml"]));
  bench.emulator.admin.setAccess(KEY, []);
  const refused = unwrapped(await bench.sops(keyd, ["decrypt", "secret.yaml"]));
  assert.match(refused, /code = FailedPrecondition desc = Cloud KMS at 127\.0\.0\.1:\d+ answered PERMISSION_DENIED/);
  assert.match(refused, /grant roles\/cloudkms\.cryptoKeyDecrypter on this key/);
});

testWithSops("an access token that Cloud KMS no longer takes is replaced within the call", async (bench) => {
  const keyd = await bench.serve(bench.writeConfig(overGrpc()));
  bench.write("secret.yaml", PLAIN);
  assertSucceeded(await bench.sops(keyd, ["encrypt", "--gcp-kms", KEY, "-i", "secret.yaml"]));
  bench.emulator.admin.expireTokens();
  assert.equal(assertSucceeded(await bench.sops(keyd, ["decrypt", "secret.yaml"])).stdout, PLAIN);
  assert.equal(bench.emulator.admin.requests().counts["oauth.token"], 2);
});

testWithSops(
  "an endpoint that hangs ends with the rule's deadline, and one that was away comes back",
  async (bench) => {
    const keyd = await bench.serve(bench.writeConfig(overGrpc({ deadline: "1s", attemptTimeout: "400ms" })));
    bench.write("secret.yaml", PLAIN);
    assertSucceeded(await bench.sops(keyd, ["encrypt", "--gcp-kms", KEY, "-i", "secret.yaml"]));
    bench.emulator.admin.addFault({ endpoint: "kms.decrypt", kind: "hang" });
    const hung = unwrapped(await bench.sops(keyd, ["decrypt", "secret.yaml"]));
    assert.match(hung, /code = (?:DeadlineExceeded|Unavailable) desc = /);
    bench.emulator.admin.clearFaults();
    bench.emulator.admin.addFault({ endpoint: "kms.decrypt", kind: "reset", times: 1 });
    assert.equal(assertSucceeded(await bench.sops(keyd, ["decrypt", "secret.yaml"])).stdout, PLAIN);
  },
);

for (const transport of ["rest", "grpc"]) {
  testWithSops(`Cloud KMS behind a private authority is asked by ${transport}`, async (bench) => {
    const { emulator, caFile } = await startTlsEmulator(bench);
    const { google } = configFor(emulator);
    const config = { ...configFor(emulator, overGrpc({ transport, endpoint: emulator.tlsUrl })) };
    const keyd = await bench.serve(bench.writeConfig({ ...config, google: { ...google, caFile } }));
    bench.write("secret.yaml", PLAIN);
    assertSucceeded(await bench.sops(keyd, ["encrypt", "--gcp-kms", KEY, "-i", "secret.yaml"]));
    assert.equal(assertSucceeded(await bench.sops(keyd, ["decrypt", "secret.yaml"])).stdout, PLAIN);
  });
}

testWithDirectSops(
  "stock sops takes the emulator's gRPC for Cloud KMS', and opens what sops-keyd made",
  async (bench) => {
    const { emulator, caFile } = await startTlsEmulator(bench);
    const keyd = await bench.serve(bench.writeConfig(configFor(emulator)));
    bench.write("secret.yaml", PLAIN);
    assertSucceeded(await bench.sops(keyd, ["encrypt", "--gcp-kms", KEY, "-i", "secret.yaml"]));
    const direct = {
      ...googleVariables(emulator),
      SOPS_GCP_KMS_CLIENT_TYPE: "grpc",
      SOPS_GCP_KMS_ENDPOINT: `127.0.0.1:${emulator.port}`,
      SSL_CERT_FILE: caFile,
    };
    assert.equal(assertSucceeded(await bench.sops(undefined, ["decrypt", "secret.yaml"], direct)).stdout, PLAIN);
    assert.equal(emulator.admin.requests().counts["kms.decrypt"], 1);
  },
);
