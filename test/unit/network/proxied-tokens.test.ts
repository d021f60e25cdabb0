import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { KeyServiceError } from "../../../src/core/errors.ts";
import { createTokenRequests } from "../../../src/credentials/token-request.ts";
import { createProxyChoice } from "../../../src/network/choose-proxy.ts";
import { createCertificate } from "../../fakes/certificates.ts";
import { startConnectProxy } from "../../fakes/connect-proxy.ts";
import { createEnvironment } from "../../fakes/token-credentials.ts";

const HOST = "oauth2.keyd.test";
const PASSWORD = "canary-password";

/** A token endpoint over TLS under a name that only the proxy knows. */
async function setUp(t: TestContext, variables: (proxyUrl: string) => Record<string, string>) {
  const authority = createCertificate({ name: "test CA", authority: true });
  const { certificate, privateKey } = createCertificate({ name: HOST, issuer: authority, address: HOST });
  const server = createServer({ cert: certificate, key: privateKey }, (_, response) => response.end("a token"));
  const { promise, resolve } = Promise.withResolvers<void>();
  server.listen(0, "127.0.0.1", resolve);
  await promise;
  const proxy = await startConnectProxy({ [HOST]: (server.address() as AddressInfo).port });
  const folder = mkdtempSync(join(tmpdir(), "proxied-"));
  const caFile = join(folder, "ca.pem");
  writeFileSync(caFile, authority.certificate);
  t.after(() => {
    proxy.close();
    server.closeAllConnections();
    server.close();
    rmSync(folder, { recursive: true });
  });
  const chooseProxy = createProxyChoice(createEnvironment(variables(proxy.url)));
  const send = createTokenRequests(caFile, { chooseProxy });
  const ask = () =>
    send({ method: "GET", url: new URL(`https://${HOST}/token`), headers: {} }, new AbortController().signal);
  const errorOf = async () => {
    const thrown = await ask().catch((error: unknown) => error);
    assert.ok(thrown instanceof KeyServiceError);
    return thrown;
  };
  return { proxy, ask, errorOf };
}

const withPassword = (url: string) => url.replace("://", `://keyd:${PASSWORD}@`);

describe("requests of token endpoints behind a proxy", () => {
  test("go through it, TLS and all, with its user and password", async (t) => {
    const { proxy, ask } = await setUp(t, (url) => ({ HTTPS_PROXY: withPassword(url) }));
    assert.equal((await ask()).text, "a token");
    const authorization = `Basic ${Buffer.from(`keyd:${PASSWORD}`).toString("base64")}`;
    assert.deepEqual(proxy.connects, [{ target: `${HOST}:443`, authorization }]);
  });

  test("go past it where NO_PROXY has the endpoint", async (t) => {
    const { proxy, errorOf } = await setUp(t, (url) => ({ https_proxy: url, no_proxy: "keyd.test" }));
    assert.match(
      (await errorOf()).message,
      /token endpoint oauth2\.keyd\.test cannot be reached \((ENOTFOUND|EAI_AGAIN)/,
    );
    assert.equal(proxy.connects.length, 0);
  });

  test("say that it was the proxy where that refuses, and show no password", async (t) => {
    const { proxy, errorOf } = await setUp(t, (url) => ({ HTTPS_PROXY: withPassword(url) }));
    proxy.manner = 407;
    const { code, message } = await errorOf();
    assert.equal(code, "credential_unavailable");
    assert.match(
      message,
      /^proxy 127\.0\.0\.1:\d+, the way to token endpoint oauth2\.keyd\.test, wants a user and a password/,
    );
    assert.doesNotMatch(message, /canary/);
  });
});
