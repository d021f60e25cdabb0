import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { parseProxy } from "../../../src/config/proxy.ts";
import { systemClock } from "../../../src/core/clock.ts";
import { createTransport } from "../../../src/kms/create-transport.ts";
import { openGrpcTransport } from "../../../src/kms/grpc-transport.ts";
import { createLazyTransport } from "../../../src/kms/lazy-transport.ts";
import { attemptWith, requestOf } from "../../contract/kms-transport-contract.ts";
import { createCertificate } from "../../fakes/certificates.ts";
import { encryptReply, startTlsKmsEndpoint } from "../../fakes/kms-endpoint.ts";
import { fakeRule } from "../../fakes/rule.ts";

const CIPHERTEXT = randomBytes(80);

/** One call over TLS to a server that shows a certificate for `named`, asked for as `host`. */
async function callOverTls(t: TestContext, named: string, host: string, trusted = true) {
  const authority = createCertificate({ name: "authority", authority: true });
  const certificate = createCertificate({ name: "kms", issuer: authority, address: named });
  const endpoint = await startTlsKmsEndpoint(certificate, (request) => encryptReply(request, CIPHERTEXT));
  const transport = await openGrpcTransport({
    endpoint: `https://${host}:${endpoint.port}`,
    ca: trusted ? [authority.certificate] : undefined,
    quotaProject: undefined,
    userAgent: "sops-keyd/test",
  });
  t.after(async () => {
    await transport.close();
    endpoint.close();
  });
  const outcome = await transport.send(requestOf("encrypt"), attemptWith());
  return { outcome, endpoint, host: `${host}:${endpoint.port}` };
}

test("an endpoint with a certificate of a private authority is asked by its name", async (t) => {
  const { outcome, endpoint, host } = await callOverTls(t, "localhost", "localhost");
  assert.ok(outcome.ok);
  assert.equal(endpoint.requests[0]?.headers[":authority"], host);
});

test("an endpoint that is an address is asked by it, and must have it in its certificate", async (t) => {
  const { outcome } = await callOverTls(t, "127.0.0.1", "127.0.0.1");
  assert.ok(outcome.ok);
  const other = await callOverTls(t, "127.0.0.2", "127.0.0.1");
  assert.ok(!other.outcome.ok);
  assert.match(other.outcome.error.message, /could not be reached: .*altnames/);
  assert.equal(other.endpoint.requests.length, 0);
});

test("a certificate that nobody trusts is refused, and the message says why", async (t) => {
  const { outcome, endpoint } = await callOverTls(t, "localhost", "localhost", false);
  assert.ok(!outcome.ok);
  assert.match(outcome.error.message, /could not be reached: (?:self-signed certificate|unable to verify)/);
  assert.equal(endpoint.requests.length, 0);
});

test("a name that is no name fails by its name's resolution", async (t) => {
  const transport = await openGrpcTransport({
    endpoint: "https://kms.invalid",
    ca: undefined,
    quotaProject: undefined,
    userAgent: "sops-keyd/test",
  });
  t.after(() => transport.close());
  const outcome = await transport.send(requestOf("encrypt"), attemptWith());
  assert.ok(!outcome.ok);
  assert.match(outcome.error.message, /Cloud KMS at kms.invalid could not be reached: Name resolution failed$/m);
});

test("a client that cannot be loaded is told to whoever calls, and to nobody else", async () => {
  const transport = createLazyTransport({ host: "kms" }, () => Promise.reject(new Error("no such module")));
  const outcome = await transport.send(requestOf("encrypt"), attemptWith());
  assert.ok(!outcome.ok);
  assert.match(outcome.error.message, /could not be loaded/);
  await assert.rejects(transport.probe(new AbortController().signal));
  await transport.close();
});

test("a call does not wait longer for the client than its signal says", async () => {
  const transport = createLazyTransport({ host: "kms" }, () => new Promise(() => {}));
  const controller = new AbortController();
  const waiting = transport.send(requestOf("encrypt"), attemptWith({ signal: controller.signal }));
  const reason = new Error("enough");
  controller.abort(reason);
  await assert.rejects(waiting, reason);
});

const SURROUNDED = fileURLToPath(new URL("../../fakes/surrounded-transport.ts", import.meta.url));

test("what Google's libraries find in the environment neither changes a call nor shows its data key", async () => {
  const child = spawn(process.execPath, [SURROUNDED], {
    env: {
      GOOGLE_SDK_NODE_LOGGING: "all",
      GOOGLE_API_USE_CLIENT_CERTIFICATE: "true",
      GOOGLE_API_USE_MTLS_ENDPOINT: "always",
      GOOGLE_CLOUD_UNIVERSE_DOMAIN: "elsewhere.example",
      GOOGLE_APPLICATION_CREDENTIALS: "/nonexistent/credential.json",
      GCE_METADATA_HOST: "127.0.0.1:1",
      HOME: "/nonexistent",
      http_proxy: "http://127.0.0.1:1",
      https_proxy: "http://127.0.0.1:1",
    },
    stdio: ["ignore", "pipe", "pipe"],
    timeout: 20_000,
  });
  const [output, errors, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, "exit")]);
  assert.deepEqual([output, errors, code], ["answered\n", "", 0]);
});

for (const transport of ["rest", "grpc"] as const) {
  test(`a transport by ${transport} names the proxy that it goes through, for messages`, async () => {
    const proxy = parseProxy("http://proxy.example:3128");
    assert.ok(typeof proxy !== "string");
    const kms = { ...fakeRule().kms, transport };
    const made = createTransport(kms, { proxy, userAgent: "test", clock: systemClock });
    assert.equal(made.proxyHost, "proxy.example:3128");
    await made.close();
  });
}
