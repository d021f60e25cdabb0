import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { type TestContext, test } from "node:test";
import { systemClock } from "../../src/core/clock.ts";
import { createKmsClient } from "../../src/kms/client.ts";
import type { KmsEvent } from "../../src/kms/events.ts";
import { createQuotaLimiters } from "../../src/kms/quota-limiters.ts";
import { decryptReply, errorReply, type KmsReply, type KmsRequest, startKmsEndpoint } from "../fakes/kms-endpoint.ts";
import { createFakeTokenHolder } from "../fakes/token-holder.ts";
import { KEY, type OpenTransport } from "./kms-transport-contract.ts";
import { TRANSPORTS } from "./kms-transports.ts";

// What the client above the transports makes of their outcomes, whichever transport it is.

const DATA_KEY = randomBytes(32);
const CIPHERTEXT = randomBytes(80);

async function setUp(t: TestContext, open: OpenTransport, ...orders: readonly ((request: KmsRequest) => KmsReply)[]) {
  const endpoint = await startKmsEndpoint(...orders);
  const setting = { endpoint: endpoint.url, quotaProject: "billing", userAgent: "sops-keyd/test", ca: undefined };
  const events: KmsEvent[] = [];
  const report = (event: KmsEvent) => events.push(event);
  const client = createKmsClient({
    rule: "rule",
    transport: await open(setting),
    attemptTimeoutMs: 3_000,
    quotaProject: "billing",
    limiters: createQuotaLimiters(systemClock, report),
    clock: systemClock,
    random: () => 0,
    report,
  });
  t.after(async () => {
    await client.close();
    endpoint.close();
  });
  const tokens = createFakeTokenHolder();
  const call = { key: KEY, tokens, reason: undefined, signal: new AbortController().signal };
  return { endpoint, events, tokens, decrypt: () => client.decrypt(CIPHERTEXT, call) };
}

const rightAnswer = () => decryptReply(DATA_KEY);

for (const [kind, open] of Object.entries(TRANSPORTS)) {
  test(`${kind}: a refused token is replaced once, and the call goes on with the fresh one`, async (t) => {
    const refusal = () => errorReply(401, "UNAUTHENTICATED", "expired");
    const { endpoint, tokens, decrypt } = await setUp(t, open, refusal, rightAnswer);
    assert.deepEqual((await decrypt()).plaintext, DATA_KEY);
    assert.deepEqual(tokens.invalidated, [1]);
    assert.deepEqual(
      endpoint.requests.map(({ headers }) => headers.authorization),
      ["Bearer token-1", "Bearer token-2"],
    );
  });

  test(`${kind}: a token that is refused fresh as well ends the call, and says so`, async (t) => {
    const { endpoint, decrypt } = await setUp(t, open, () => errorReply(401, "UNAUTHENTICATED", "disabled"));
    await assert.rejects(decrypt(), { code: "kms_permission_denied", message: /also for a fresh token/ });
    assert.equal(endpoint.requests.length, 2);
  });

  test(`${kind}: an answer that was damaged is discarded, told of, and asked for again`, async (t) => {
    const damaged = () => decryptReply(DATA_KEY, { plaintextCrc32c: "1" });
    const { events, decrypt } = await setUp(t, open, damaged, rightAnswer);
    assert.deepEqual((await decrypt()).plaintext, DATA_KEY);
    assert.deepEqual(
      events.map(({ kind: what }) => what),
      ["answer_discarded"],
    );
  });

  const PASSING: Readonly<Record<string, () => KmsReply>> = {
    "an endpoint that is busy": () => errorReply(503, "UNAVAILABLE", "busy"),
    "a connection that breaks": () => "reset",
    "an answer that breaks off": () => "truncate",
  };
  for (const [what, order] of Object.entries(PASSING)) {
    test(`${kind}: after ${what} the call is made again`, async (t) => {
      const { endpoint, decrypt } = await setUp(t, open, order, rightAnswer);
      assert.deepEqual((await decrypt()).plaintext, DATA_KEY);
      assert.equal(endpoint.requests.length, 2);
    });
  }

  test(`${kind}: no bit of an answer flips without being noticed`, async (t) => {
    let flip = 0;
    const flipped = () => {
      const plaintext = Buffer.from(DATA_KEY);
      const at = flip++ % (plaintext.length * 8);
      plaintext[at >> 3] = (plaintext[at >> 3] ?? 0) ^ (1 << (at & 7));
      const { plaintextCrc32c } = (decryptReply(DATA_KEY) as { body: { plaintextCrc32c: string } }).body;
      return decryptReply(plaintext, { plaintextCrc32c });
    };
    const { events, decrypt } = await setUp(t, open, flipped);
    while (flip < DATA_KEY.length * 8) await assert.rejects(decrypt(), { code: "integrity_failed" });
    assert.equal(events.length, flip);
  });
}
