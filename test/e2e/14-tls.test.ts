import assert from "node:assert/strict";
import { credentials } from "@grpc/grpc-js";
import { createCertificate, type TestCertificate } from "../fakes/certificates.ts";
import { createTlsKeyClient } from "../fakes/key-client.ts";
import { type Bench, testOnBench } from "./harness/bench.ts";
import { KEY, SHOP_KEYS } from "./harness/config.ts";

const ID = "spiffe://example.com/ns/flux/sa/controller";
const NAME = "keys.example.com";
const GCP_KEY = { gcpKmsKey: { resourceId: KEY } };

function writePair(bench: Bench, pair: TestCertificate): void {
  bench.write("tls.crt", pair.certificate);
  bench.write("tls.key", pair.privateKey);
}

function clientFor(address: string, ca: TestCertificate, client: TestCertificate) {
  const [root, key, certificate] = [ca.certificate, client.privateKey, client.certificate].map((pem) =>
    Buffer.from(pem),
  );
  return createTlsKeyClient(address, credentials.createSsl(root, key, certificate), NAME);
}

testOnBench("a certificate's SPIFFE id opens its keys, health asks by TLS, and SIGHUP renews", async (bench) => {
  const ca = createCertificate({ name: "CA", authority: true });
  const issueServer = () => createCertificate({ name: "server", issuer: ca, address: NAME });
  writePair(bench, issueServer());
  bench.write("ca.crt", ca.certificate);
  const tls = { certificate: "tls.crt", privateKey: "tls.key", clientCa: "ca.crt" };
  // The port is taken from the first start, so that `health` finds it in the config.
  const configOn = (port: string) =>
    bench.writeConfig({
      listeners: [{ address: `tcp://127.0.0.1:${port}`, tls }],
      callers: { flux: { spiffe: ID } },
      rules: [{ name: "shop", match: SHOP_KEYS, tokenSource: "shop", allow: [{ callers: ["flux"] }] }],
    });
  const keyd = await bench.serve(configOn("0"));
  const good = clientFor(keyd.address, ca, createCertificate({ name: "c", issuer: ca, uris: [ID] }));
  const other = clientFor(keyd.address, ca, createCertificate({ name: "c", issuer: ca, uris: [`${ID}-other`] }));
  try {
    const ciphertext = await good.encrypt(GCP_KEY, Buffer.alloc(32, 7));
    assert.deepEqual(await good.decrypt(GCP_KEY, ciphertext), Buffer.alloc(32, 7));
    await assert.rejects(other.decrypt(GCP_KEY, ciphertext), (thrown: Error) => {
      assert.match(thrown.message, /PERMISSION_DENIED/);
      assert.match(thrown.message, /a caller without a name at .* \(certificate of spiffe:.*-other\)/);
      return true;
    });

    const config = configOn(new URL(keyd.address).port);
    const healthy = await bench.keyd(["health", "--config", config]);
    assert.equal(healthy.code, 0, healthy.stderr);
    assert.match(healthy.stdout, /is serving/);

    bench.write("tls.key", issueServer().privateKey);
    keyd.child.signal("SIGHUP");
    await keyd.child.waitFor("stderr", /new tls files not taken, the old ones stay: .*tls\.key: is not the key of/);
    assert.deepEqual(await good.decrypt(GCP_KEY, ciphertext), Buffer.alloc(32, 7));
    writePair(bench, issueServer());
    keyd.child.signal("SIGHUP");
    await keyd.child.waitFor("stderr", /new tls files are in use, valid until/);
    assert.deepEqual(await good.decrypt(GCP_KEY, ciphertext), Buffer.alloc(32, 7));
  } finally {
    good.close();
    other.close();
  }
});

testOnBench("files of tls that cannot be used stop the start with code 2, and the file is named", async (bench) => {
  bench.write("tls.crt", createCertificate({ name: "a" }).certificate);
  bench.write("tls.key", createCertificate({ name: "b" }).privateKey);
  const tls = { certificate: "tls.crt", privateKey: "tls.key" };
  const config = bench.writeConfig({ listeners: [{ address: "tcp://127.0.0.1:0", tls }] });
  const { code, stderr } = await bench.keyd(["serve", "--config", config]);
  assert.equal(code, 2);
  assert.ok(stderr.includes(`${bench.path("tls.key")}: is not the key of the first certificate in`), stderr);
});
