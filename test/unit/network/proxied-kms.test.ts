import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { inspect } from "node:util";
import type { RuleKmsConfig } from "../../../src/config/config.ts";
import { systemClock } from "../../../src/core/clock.ts";
import { describeCause } from "../../../src/core/describe-cause.ts";
import { KeyServiceError } from "../../../src/core/errors.ts";
import { createKmsClients } from "../../../src/kms/create.ts";
import { parseCryptoKeyName } from "../../../src/routing/resource-name.ts";
import { createCertificate } from "../../fakes/certificates.ts";
import { createFakeClock, settle } from "../../fakes/clock.ts";
import { startConnectProxy } from "../../fakes/connect-proxy.ts";
import { decryptReply, startTlsKmsEndpoint } from "../../fakes/kms-endpoint.ts";
import { fakeRule } from "../../fakes/rule.ts";
import { createEnvironment } from "../../fakes/token-credentials.ts";
import { GOOGLE } from "../../fakes/token-google.ts";
import { createFakeTokenHolder } from "../../fakes/token-holder.ts";

const HOST = "cloudkms.keyd.test";
const KEY = parseCryptoKeyName("projects/p/locations/global/keyRings/r/cryptoKeys/k");
const DATA_KEY = randomBytes(32);
const PASSWORD = "canary-password";

/** Cloud KMS over TLS under a name that only the proxy knows, and clients that trust its CA. */
async function setUp(
  t: TestContext,
  variables: (proxyUrl: string) => Record<string, string> = () => ({}),
  address: string = HOST,
) {
  const authority = createCertificate({ name: "test CA", authority: true });
  const server = createCertificate({ name: HOST, issuer: authority, address });
  const endpoint = await startTlsKmsEndpoint(server, () => decryptReply(DATA_KEY));
  const port = endpoint.port;
  const proxy = await startConnectProxy({ [HOST]: port, "127.0.0.1": port });
  const folder = mkdtempSync(join(tmpdir(), "proxied-"));
  const caFile = join(folder, "ca.pem");
  writeFileSync(caFile, authority.certificate);
  t.after(() => {
    proxy.close();
    endpoint.close();
    rmSync(folder, { recursive: true });
  });
  const decrypt = async (kms: Partial<RuleKmsConfig> = {}, clock = systemClock) => {
    const environment = createEnvironment(variables(proxy.url));
    const surroundings = { environment, clock, warn() {}, userAgent: "test" };
    const rule = fakeRule({ kms: { ...fakeRule().kms, endpoint: `https://${HOST}`, caFile, ...kms } });
    const client = createKmsClients({ google: GOOGLE }, surroundings)(rule);
    t.after(() => client.close());
    const call = { key: KEY, tokens: createFakeTokenHolder(), reason: undefined, signal: new AbortController().signal };
    return (await client.decrypt(randomBytes(80), call)).plaintext;
  };
  const errorOf = async (kms: Partial<RuleKmsConfig> = {}, clock = systemClock): Promise<KeyServiceError> => {
    const thrown = await decrypt(kms, clock).catch((error: unknown) => error);
    assert.ok(thrown instanceof KeyServiceError);
    return thrown;
  };
  return { endpoint, proxy, decrypt, errorOf, caFile };
}

const withPassword = (url: string) => url.replace("://", `://keyd:${PASSWORD}@`);

describe("calls of Cloud KMS behind a proxy", () => {
  for (const name of ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "HTTP_PROXY", "http_proxy"]) {
    test(`go through the one that ${name} names, TLS and all`, async (t) => {
      const { proxy, decrypt } = await setUp(t, (url) => ({ [name]: url }));
      assert.deepEqual(await decrypt(), DATA_KEY);
      assert.deepEqual(proxy.connects, [{ target: `${HOST}:443`, authorization: undefined }]);
    });
  }

  test("show it the user and password from the variable, and send it no token", async (t) => {
    const { proxy, endpoint, decrypt } = await setUp(t, (url) => ({ HTTPS_PROXY: withPassword(url) }));
    assert.deepEqual(await decrypt(), DATA_KEY);
    const expected = `Basic ${Buffer.from(`keyd:${PASSWORD}`).toString("base64")}`;
    assert.equal(proxy.connects[0]?.authorization, expected);
    assert.equal(endpoint.requests[0]?.headers["proxy-authorization"], undefined);
  });

  test("go past it where NO_PROXY has the endpoint", async (t) => {
    const { proxy, errorOf } = await setUp(t, (url) => ({ HTTPS_PROXY: url, NO_PROXY: "other.test,.keyd.test" }));
    // The name is nobody's here, so that going past the proxy shows by its failure.
    assert.match((await errorOf()).message, /could not be reached: (ENOTFOUND|EAI_AGAIN)/);
    assert.equal(proxy.connects.length, 0);
  });

  test("go past it by the rule's own proxy: none", async (t) => {
    const { proxy, errorOf } = await setUp(t, (url) => ({ HTTPS_PROXY: url }));
    assert.match((await errorOf({ proxy: { kind: "none" } })).message, /could not be reached: (ENOTFOUND|EAI_AGAIN)/);
    assert.equal(proxy.connects.length, 0);
  });

  test("go past it on loopback", async (t) => {
    const { proxy, endpoint, decrypt } = await setUp(t, (url) => ({ HTTPS_PROXY: url }), "127.0.0.1");
    assert.deepEqual(await decrypt({ endpoint: `https://127.0.0.1:${endpoint.port}` }), DATA_KEY);
    assert.equal(proxy.connects.length, 0);
  });

  test("go through the rule's own proxy also on loopback, whatever NO_PROXY says", async (t) => {
    const { proxy, endpoint, decrypt } = await setUp(t, () => ({ NO_PROXY: "*" }), "127.0.0.1");
    const own = { kind: "url", url: proxy.url } as const;
    assert.deepEqual(await decrypt({ endpoint: `https://127.0.0.1:${endpoint.port}`, proxy: own }), DATA_KEY);
    assert.equal(proxy.connects.length, 1);
  });

  test("go through one that the rule takes from a variable of its own", async (t) => {
    const { proxy, decrypt } = await setUp(t, (url) => ({ RULE_PROXY: withPassword(url) }));
    assert.deepEqual(await decrypt({ proxy: { kind: "env", variable: "RULE_PROXY" } }), DATA_KEY);
    assert.equal(proxy.connects.length, 1);
  });

  for (const [status, words] of [
    [407, /wants a user and a password \(407\)\n[\s\S]*to do: put http:\/\/USER:PASSWORD@HOST:PORT/],
    [403, /refused the connection \(403\)\n[\s\S]*to do: have the proxy let CONNECT/],
    [502, /refused the connection \(502\)/],
  ] as const) {
    test(`say that it was the proxy where that answers ${status}, and show no password`, async (t) => {
      const { proxy, errorOf } = await setUp(t, (url) => ({ HTTPS_PROXY: withPassword(url) }));
      proxy.manner = status;
      const error = await errorOf();
      assert.equal(error.code, "kms_unavailable");
      assert.match(error.message, words);
      assert.ok(error.message.startsWith(`proxy ${new URL(proxy.url).host}, the way to Cloud KMS at ${HOST}, `));
      const shown = `${error.message} ${describeCause(error.cause)} ${inspect(error, { depth: 10 })}`;
      assert.doesNotMatch(shown, new RegExp(`canary|${Buffer.from(`keyd:${PASSWORD}`).toString("base64")}`));
    });
  }

  test("say that it was the proxy where none answers there", async (t) => {
    const { proxy, errorOf } = await setUp(t, (url) => ({ HTTPS_PROXY: url }));
    proxy.close();
    assert.match(
      (await errorOf()).message,
      /^proxy .* could not be reached \(ECONNREFUSED\)\n[\s\S]*to do: check HTTPS_PROXY/,
    );
  });

  test("end in their time where the proxy says nothing, and say what they went through", async (t) => {
    const { proxy, errorOf } = await setUp(t, (url) => ({ HTTPS_PROXY: url }));
    proxy.manner = "hang";
    const clock = createFakeClock();
    const asked = proxy.asked();
    const failed = errorOf({ attemptTimeoutMs: 1_000 }, clock);
    await asked;
    for (let second = 0; second < 5; second += 1) {
      await clock.pass(1_000);
      await settle();
    }
    assert.match((await failed).message, /through proxy 127\.0\.0\.1:\d+ did not answer within 1000 ms/);
  });

  test("refuse an endpoint behind it whose certificate nobody vouches for", async (t) => {
    const { errorOf } = await setUp(t, (url) => ({ HTTPS_PROXY: url }));
    assert.match((await errorOf({ caFile: undefined })).message, /(UNABLE_TO|SELF_SIGNED)[\s\S]*to do: .*kms\.caFile/);
  });
});

describe("calls of Cloud KMS by gRPC behind a proxy", () => {
  const byGrpc = { transport: "grpc" } as const;

  test("go through the one of the environment, with its user and password, TLS and all", async (t) => {
    const { proxy, decrypt } = await setUp(t, (url) => ({ HTTPS_PROXY: withPassword(url) }));
    assert.deepEqual(await decrypt(byGrpc), DATA_KEY);
    const authorization = `Basic ${Buffer.from(`keyd:${PASSWORD}`).toString("base64")}`;
    assert.deepEqual(proxy.connects, [{ target: `${HOST}:443`, authorization }]);
  });

  test("go past it by the rule's own proxy: none", async (t) => {
    const { proxy, errorOf } = await setUp(t, (url) => ({ HTTPS_PROXY: url }));
    const error = await errorOf({ ...byGrpc, proxy: { kind: "none" } });
    assert.match(error.message, /could not be reached: Name resolution failed/);
    assert.equal(proxy.connects.length, 0);
  });

  test("say which proxy they went through where there is no answer, and show no password", async (t) => {
    const { proxy, errorOf } = await setUp(t, (url) => ({ HTTPS_PROXY: withPassword(url) }));
    proxy.manner = 403;
    const error = await errorOf(byGrpc);
    assert.ok(
      error.message.startsWith(`Cloud KMS at ${HOST} could not be reached through proxy ${new URL(proxy.url).host}`),
      error.message,
    );
    assert.doesNotMatch(`${error.message} ${inspect(error, { depth: 10 })}`, /canary/);
  });

  test("are refused at the start where the proxy is an https one, which grpc-js cannot use", async (t) => {
    const { decrypt } = await setUp(t, () => ({ HTTPS_PROXY: "https://proxy.test:3129" }));
    await assert.rejects(decrypt(byGrpc), /grpc goes by http proxies only/);
  });
});
