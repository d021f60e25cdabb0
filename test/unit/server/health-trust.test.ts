import assert from "node:assert/strict";
import { test } from "node:test";
import { checkHealth } from "../../../src/server/health-client.ts";
import { createCertificate } from "../../fakes/certificates.ts";
import { startTlsServer } from "../../fakes/tls-set-up.ts";

const TIMEOUT_MS = 5_000;

test("a TLS listener is asked by whoever has its certificate, without one of their own", async (t) => {
  const server = await startTlsServer(t);
  const own = createCertificate({ name: "server", issuer: server.ca, address: "server.test" });
  server.write(own);
  await server.server.renewCertificates();
  const trust = { certificates: own.certificate, of: "server" } as const;
  assert.deepEqual(await checkHealth(server.address, TIMEOUT_MS, trust), { serving: true });
});

test("another server in its place is not taken for it", async (t) => {
  const server = await startTlsServer(t);
  for (const other of [
    createCertificate({ name: "server", issuer: server.ca, address: "server.test" }),
    createCertificate({ name: "server" }),
  ]) {
    const trust = { certificates: other.certificate, of: "server" } as const;
    const { serving } = await checkHealth(server.address, TIMEOUT_MS, trust);
    assert.equal(serving, false);
  }
});

test("by its CA a server is known if its certificate is for the address", async (t) => {
  const server = await startTlsServer(t);
  const trust = { certificates: server.ca.certificate, of: "authorities" } as const;
  const wrong = await checkHealth(server.address, TIMEOUT_MS, trust);
  assert.ok(!wrong.serving);
  assert.match(wrong.reason, /127\.0\.0\.1/);
  server.write(createCertificate({ name: "server", issuer: server.ca, address: "127.0.0.1" }));
  await server.server.renewCertificates();
  assert.deepEqual(await checkHealth(server.address, TIMEOUT_MS, trust), { serving: true });
});

test("clear text at a TLS listener is not serving", async (t) => {
  const server = await startTlsServer(t);
  assert.equal((await checkHealth(server.address, TIMEOUT_MS)).serving, false);
});
