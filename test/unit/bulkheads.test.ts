import assert from "node:assert/strict";
import { describe, type TestContext, test } from "node:test";
import { callerAt } from "../../src/access/caller.ts";
import { assemble } from "../../src/assembly.ts";
import type { Config, TokenSourceConfig } from "../../src/config/config.ts";
import { createDefaultConfig } from "../../src/config/default-config.ts";
import { KeyServiceError } from "../../src/core/errors.ts";
import { createFakeClock } from "../fakes/clock.ts";
import { encryptReply, type KmsReply, type KmsRequest, startKmsEndpoint } from "../fakes/kms-endpoint.ts";
import { fakeRule } from "../fakes/rule.ts";
import { createEnvironment } from "../fakes/token-credentials.ts";
import { startTokenEndpoint } from "../fakes/token-endpoint.ts";

const CIPHERTEXT = Buffer.alloc(80, 9);
const DATA_KEY = Buffer.alloc(32, 7);
const TOKEN: TokenSourceConfig = { type: "access_token", token: { kind: "env", variable: "TOKEN" } };

type Order = (request: KmsRequest) => KmsReply;
const serves: Order = (request) => encryptReply(request, CIPHERTEXT);

/** Two rules, `ill` and `well`, each with an endpoint and a token source of its own. */
async function setUp(
  t: TestContext,
  ill: Order,
  sources: Readonly<Record<string, TokenSourceConfig>> = {},
  metadata = "",
) {
  const endpoints = { ill: await startKmsEndpoint(ill), well: await startKmsEndpoint(serves) };
  const environment = createEnvironment({ TOKEN: "token" });
  const usual = createDefaultConfig(environment);
  const rule = (name: "ill" | "well") =>
    fakeRule({
      name,
      match: `projects/${name}/locations/*/keyRings/*/cryptoKeys/*`,
      tokenSource: [name],
      kms: { ...fakeRule().kms, endpoint: endpoints[name].url },
    });
  const config: Config = {
    ...usual,
    tokenSources: new Map(Object.entries({ ill: TOKEN, well: TOKEN, ...sources })),
    rules: [rule("ill"), rule("well")],
    google: { ...usual.google, endpoints: { ...usual.google.endpoints, ...(metadata === "" ? {} : { metadata }) } },
  };
  const clock = createFakeClock();
  const assembly = assemble(config, { environment, clock, warn() {}, userAgent: "test" });
  t.after(async () => {
    await assembly.close();
    endpoints.ill.close();
    endpoints.well.close();
  });
  const caller = new AbortController();
  const context = { caller: callerAt("test", undefined), listenerIsLocal: true, signal: caller.signal };
  let calls = 0;
  // A data key of its own for each, so that no two calls are joined.
  const encrypt = (name: "ill" | "well") => {
    calls += 1;
    const dataKey = Buffer.from(DATA_KEY);
    dataKey.writeUInt32BE(calls);
    const resourceId = `projects/${name}/locations/global/keyRings/r/cryptoKeys/k`;
    return assembly.gcpKms.encrypt({ type: "gcp_kms", resourceId }, dataKey, context);
  };
  const hang = (count: number) => Array.from({ length: count }, () => encrypt("ill").catch((error: unknown) => error));
  return { endpoints, encrypt, hang, clock, caller };
}

async function answerAll(encrypt: (name: "well") => Promise<unknown>, count: number): Promise<void> {
  for (let done = 0; done < count; done += 50) await Promise.all(Array.from({ length: 50 }, () => encrypt("well")));
}

function codesOf(outcomes: readonly unknown[]): ReadonlySet<unknown> {
  return new Set(outcomes.map((outcome) => (outcome instanceof KeyServiceError ? outcome.code : "answered")));
}

describe("while 200 calls of one rule hang", () => {
  test("at its endpoint, those of another are all answered, with one request each", async (t) => {
    const { endpoints, encrypt, hang, caller } = await setUp(t, () => "hang");
    const hanging = hang(200);
    await endpoints.ill.asked(64);
    await answerAll(encrypt, 200);
    assert.equal(endpoints.well.requests.length, 200);
    // Its connections, and no more: the rest waits for them.
    assert.equal(endpoints.ill.requests.length, 64);
    caller.abort();
    assert.deepEqual(codesOf(await Promise.all(hanging)), new Set(["cancelled"]));
  });

  test("at its token endpoint, those of another are all answered", async (t) => {
    const tokens = await startTokenEndpoint();
    tokens.trouble = "hang";
    t.after(() => tokens[Symbol.asyncDispose]());
    const machine: TokenSourceConfig = { type: "metadata", account: "default", timeoutMs: 3_000 };
    const { endpoints, encrypt, hang, caller } = await setUp(t, serves, { ill: machine }, tokens.url);
    const asked = tokens.nextRequest();
    const hanging = hang(200);
    await asked;
    await answerAll(encrypt, 200);
    assert.equal(endpoints.well.requests.length, 200);
    assert.equal(endpoints.ill.requests.length, 0);
    assert.equal(tokens.requests.length, 1);
    caller.abort();
    assert.deepEqual(codesOf(await Promise.all(hanging)), new Set(["cancelled"]));
  });
});

describe("a rule whose endpoint is dead", () => {
  test("has a circuit of its own: its calls are refused at once, those of another go on", async (t) => {
    const { endpoints, encrypt, hang, clock } = await setUp(t, () => "reset");
    endpoints.ill.close();
    const outcomes = Promise.all(hang(20));
    for (let step = 0; step < 100; step += 1) await clock.pass(10);
    assert.deepEqual(codesOf(await outcomes), new Set(["kms_unavailable"]));
    await assert.rejects(encrypt("ill"), /out of service since/);
    await answerAll(encrypt, 50);
    assert.equal(endpoints.well.requests.length, 50);
  });

  test("holds no more than its own share of the server's calls", async (t) => {
    const { endpoints, encrypt, hang, caller } = await setUp(t, () => "hang");
    const hanging = hang(300);
    await endpoints.ill.asked(64);
    await answerAll(encrypt, 50);
    caller.abort();
    const codes = (await Promise.all(hanging)).map((error) => error instanceof KeyServiceError && error.code);
    assert.equal(codes.filter((code) => code === "overloaded").length, 300 - 256);
  });
});
