import assert from "node:assert/strict";
import type { LookupFunction } from "node:net";
import { describe, type TestContext, test } from "node:test";
import { systemClock } from "../../../src/core/clock.ts";
import { createKmsClient } from "../../../src/kms/client.ts";
import { createEndpointPool } from "../../../src/kms/endpoint-pool.ts";
import type { KmsEvent } from "../../../src/kms/events.ts";
import { createQuotaLimiters } from "../../../src/kms/quota-limiters.ts";
import { createRestTransport } from "../../../src/kms/rest-transport.ts";
import { parseCryptoKeyName } from "../../../src/routing/resource-name.ts";
import { createFakeClock } from "../../fakes/clock.ts";
import { decryptReply, type KmsReply, startKmsEndpoint } from "../../fakes/kms-endpoint.ts";
import { createFakeTokenHolder } from "../../fakes/token-holder.ts";

const KEY = parseCryptoKeyName("projects/p/locations/global/keyRings/r/cryptoKeys/k");
const DATA_KEY = Buffer.alloc(32, 7);

/** A client of an endpoint that is known by a name, which a lookup of the test's resolves. */
async function setUp(t: TestContext, replies: readonly (() => KmsReply)[]) {
  const endpoint = await startKmsEndpoint(...replies);
  const lookups: string[] = [];
  const lookup: LookupFunction = (hostname, options, callback) => {
    lookups.push(hostname);
    const address = "127.0.0.1";
    if (options.all === true) callback(null, [{ address, family: 4 }]);
    else callback(null, address, 4);
  };
  const url = `http://kms.test:${endpoint.port}`;
  const clock = createFakeClock();
  const events: KmsEvent[] = [];
  const report = (event: KmsEvent) => events.push(event);
  const client = createKmsClient({
    rule: "rule",
    transport: createRestTransport({
      dispatcher: createEndpointPool(url, { lookup, clock }),
      endpoint: url,
      quotaProject: undefined,
      userAgent: "test",
      clock: systemClock,
    }),
    attemptTimeoutMs: 3_000,
    quotaProject: undefined,
    limiters: createQuotaLimiters(systemClock, report),
    clock: systemClock,
    random: () => 0,
    report,
  });
  t.after(async () => {
    await client.close();
    endpoint.close();
  });
  const call = { key: KEY, tokens: createFakeTokenHolder(), reason: undefined, signal: new AbortController().signal };
  const decrypt = async () => (await client.decrypt(Buffer.alloc(80), call)).plaintext;
  return { endpoint, lookups, events, decrypt, clock };
}

describe("the connections to an endpoint", () => {
  test("are kept from call to call, and replaced after five minutes, so that a changed DNS answer is followed", async (t) => {
    const { lookups, decrypt, clock } = await setUp(t, [() => decryptReply(DATA_KEY)]);
    const decryptTenTimes = async () => {
      for (let count = 0; count < 10; count += 1) await decrypt();
    };
    await decryptTenTimes();
    const connections = lookups.length;
    assert.ok(connections <= 2, `${connections} connections for calls one after the other`);
    clock.advance(299_000);
    await decryptTenTimes();
    assert.equal(lookups.length, connections);
    clock.advance(2_000);
    await decryptTenTimes();
    assert.ok(lookups.length > connections);
  });

  test("may all be reset at once without a user noticing: each call is answered, and no circuit opens", async (t) => {
    const calls = 50;
    const served = Array.from({ length: calls }, () => () => decryptReply(DATA_KEY));
    const reset = Array.from({ length: calls }, () => (): KmsReply => "reset");
    const { endpoint, events, decrypt } = await setUp(t, [...served, ...reset, () => decryptReply(DATA_KEY)]);
    await Promise.all(Array.from({ length: calls }, decrypt));
    for (const plaintext of await Promise.all(Array.from({ length: calls }, decrypt))) {
      assert.deepEqual(plaintext, DATA_KEY);
    }
    assert.equal(endpoint.requests.length, 3 * calls);
    assert.deepEqual(events, []);
  });
});
