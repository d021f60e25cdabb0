import assert from "node:assert/strict";
import { describe, type TestContext, test } from "node:test";
import { createDeadline } from "../../../src/core/deadline.ts";
import { KeyServiceError } from "../../../src/core/errors.ts";
import { createKmsClient } from "../../../src/kms/client.ts";
import type { KmsEvent } from "../../../src/kms/events.ts";
import type { KmsCall } from "../../../src/kms/kms-client.ts";
import { createQuotaLimiters } from "../../../src/kms/quota-limiters.ts";
import type { KmsRequest } from "../../../src/kms/transport.ts";
import { parseCryptoKeyName } from "../../../src/routing/resource-name.ts";
import { createFakeClock } from "../../fakes/clock.ts";
import { answerOf, createFakeKmsTransport, failureOf, HOST, type Reply } from "../../fakes/kms-transport.ts";
import { createFakeTokenHolder } from "../../fakes/token-holder.ts";

const KEY = parseCryptoKeyName("projects/p/locations/global/keyRings/r/cryptoKeys/k");
const DATA_KEY = Buffer.alloc(32, 7);
const CIPHERTEXT = Buffer.alloc(80, 9);
const GOOD = answerOf(DATA_KEY);

interface SetUp {
  /** What every jitter draws. */
  readonly random?: number;
  /** Calls that were answered before: they earn retries. */
  readonly earned?: number;
}

async function setUp(
  t: TestContext,
  replies: readonly ((request: KmsRequest) => Reply)[],
  { random = 0, earned = 0 }: SetUp = {},
) {
  const clock = createFakeClock();
  const events: KmsEvent[] = [];
  const transport = createFakeKmsTransport(...Array.from({ length: earned }, () => GOOD), ...replies);
  const client = createKmsClient({
    rule: "rule",
    transport,
    attemptTimeoutMs: 3_000,
    quotaProject: undefined,
    limiters: createQuotaLimiters(clock, (event) => events.push(event)),
    clock,
    random: () => random,
    report: (event) => events.push(event),
  });
  t.after(() => client.close());
  /** Pauses that random made as short as none are over at once. */
  const ended = async <T>(work: Promise<T>): Promise<T> => {
    let isOver = false;
    const over = () => {
      isOver = true;
    };
    work.then(over, over);
    while (!isOver) await clock.pass(0);
    return work;
  };
  const decrypt = (changes: Partial<KmsCall> = {}) => ended(client.decrypt(CIPHERTEXT, { ...call, ...changes }));
  const tokens = createFakeTokenHolder();
  const call: KmsCall = { key: KEY, tokens, reason: undefined, signal: new AbortController().signal };
  for (let count = 0; count < earned; count += 1) await client.decrypt(CIPHERTEXT, call);
  const asked = () => transport.sent.length - earned;
  return { clock, events, transport, client, tokens, call, asked, decrypt, ended };
}

/** What a call ends with, where it fails. */
async function errorOf(work: Promise<unknown>): Promise<KeyServiceError> {
  try {
    await work;
  } catch (thrown) {
    assert.ok(thrown instanceof KeyServiceError);
    return thrown;
  }
  return assert.fail("it was answered");
}

describe("a damaged answer", () => {
  const damaged = answerOf(DATA_KEY, { payloadCrc32c: 1 });

  test("is discarded, reported and asked for again", async (t) => {
    const { decrypt, events, asked } = await setUp(t, [damaged, GOOD]);
    assert.deepEqual((await decrypt()).plaintext, DATA_KEY);
    assert.equal(asked(), 2);
    const why =
      "the answer of Cloud KMS was damaged on its way: the checksum of its plaintext does not match; nothing was handed out";
    assert.deepEqual(events, [{ kind: "answer_discarded", rule: "rule", host: HOST, why, count: 1 }]);
  });

  test("ends the call after three attempts, each of them counted and reported", async (t) => {
    const { decrypt, events, asked } = await setUp(t, [damaged], { earned: 2 });
    assert.equal((await errorOf(decrypt())).code, "integrity_failed");
    assert.equal(asked(), 3);
    assert.deepEqual(
      events.map((event) => event.kind === "answer_discarded" && event.count),
      [1, 2, 3],
    );
  });

  test("is wiped", async (t) => {
    const payload = Buffer.from(DATA_KEY);
    const { decrypt } = await setUp(t, [answerOf(DATA_KEY, { payload, payloadCrc32c: 1 }), GOOD]);
    await decrypt();
    assert.deepEqual(payload, Buffer.alloc(32));
  });

  test("says nothing against the endpoint: the circuit stays closed", async (t) => {
    const { decrypt, events } = await setUp(t, [damaged], { earned: 30 });
    for (let count = 0; count < 10; count += 1) await errorOf(decrypt());
    assert.ok(events.every(({ kind }) => kind === "answer_discarded"));
  });

  for (const [what, changes] of [
    ["that names another key", { name: `${KEY}x/cryptoKeyVersions/1` }],
    ["that confirms nothing", { confirmsRequest: false }],
    ["that is empty", { payload: Buffer.alloc(0), payloadCrc32c: 0 }],
    ["that has no ciphertext", { payload: undefined, payloadCrc32c: undefined }],
  ] as const) {
    test(`is also one to encrypt ${what}`, async (t) => {
      const { client, call, asked, ended } = await setUp(t, [answerOf(CIPHERTEXT, changes), answerOf(CIPHERTEXT)]);
      assert.deepEqual((await ended(client.encrypt(DATA_KEY, call))).ciphertext, CIPHERTEXT);
      assert.equal(asked(), 2);
    });
  }
});

describe("a refused token", () => {
  const refused = failureOf({ retry: "with_fresh_token", endpointIsIll: false }, "answered 401");

  test("is replaced by a fresh one, once", async (t) => {
    const { decrypt, tokens, transport, asked } = await setUp(t, [refused], { earned: 5 });
    assert.match((await errorOf(decrypt())).message, /answered 401/);
    assert.equal(asked(), 2);
    assert.deepEqual(tokens.invalidated, [1]);
    assert.deepEqual(
      transport.sent.slice(-2).map(({ attempt }) => attempt.tokenIsFresh),
      [false, true],
    );
  });

  test("that cannot be replaced ends the call with what the token source says", async (t) => {
    const { client, call, asked } = await setUp(t, [refused]);
    const error = new KeyServiceError("credential_rejected", { problem: "the key was deleted", remedy: "make one" });
    let given = 0;
    const getToken = (signal: AbortSignal) => {
      given += 1;
      return given === 1 ? call.tokens.getToken(signal) : Promise.reject(error);
    };
    assert.equal(await errorOf(client.decrypt(CIPHERTEXT, { ...call, tokens: { ...call.tokens, getToken } })), error);
    assert.equal(asked(), 1);
  });
});

describe("an endpoint in trouble", () => {
  test("is given the time that it asks for", async (t) => {
    const { client, call, clock, asked } = await setUp(t, [failureOf({ retryAfterMs: 2_000 }), GOOD]);
    const answer = client.decrypt(CIPHERTEXT, call);
    await clock.pass(1_999);
    assert.equal(asked(), 1);
    await clock.pass(1);
    assert.deepEqual((await answer).plaintext, DATA_KEY);
  });

  test("is not waited for where it asks for longer than a person should wait", async (t) => {
    const { decrypt, asked } = await setUp(t, [failureOf({ retryAfterMs: 5_001 })]);
    assert.equal((await errorOf(decrypt())).code, "kms_unavailable");
    assert.equal(asked(), 1);
  });

  test("is asked again after a random share of a growing pause", async (t) => {
    const { client, call, clock, asked } = await setUp(t, [failureOf()], { random: 0.5, earned: 2 });
    const answer = errorOf(client.decrypt(CIPHERTEXT, call));
    await clock.pass(49);
    assert.equal(asked(), 1);
    await clock.pass(1);
    assert.equal(asked(), 2);
    await clock.pass(99);
    assert.equal(asked(), 2);
    await clock.pass(1);
    await answer;
    assert.equal(asked(), 3);
  });

  test("is named with what it answered when the call's time ends in a pause", async (t) => {
    const { client, call, clock } = await setUp(t, [failureOf({ retryAfterMs: 4_000 })]);
    using deadline = createDeadline(clock, 1_000, "the call took longer than 1 s");
    const failed = errorOf(client.decrypt(CIPHERTEXT, { ...call, signal: deadline.signal }));
    await clock.pass(1_000);
    const { code, message } = await failed;
    assert.equal(code, "deadline_exceeded");
    assert.match(message, /^the call took longer than 1 s \(the last attempt: answered 503\)\nto do: /);
  });

  test("is named with what it answered before when the call's time ends in the next attempt", async (t) => {
    const { client, call, clock } = await setUp(t, [failureOf(), () => "hang"]);
    using deadline = createDeadline(clock, 1_000, "the call took longer than 1 s");
    const failed = errorOf(client.decrypt(CIPHERTEXT, { ...call, signal: deadline.signal }));
    await clock.pass(1_000);
    assert.match((await failed).message, /waiting for Cloud KMS at .*\(the attempt before: answered 503\)/);
  });

  test("is not asked any more once five attempts in a row failed; the circuit closes again by itself", async (t) => {
    const { client, call, clock, transport, events, asked } = await setUp(
      t,
      [...Array.from({ length: 5 }, () => failureOf()), GOOD],
      { earned: 10, random: 0.001 },
    );
    transport.isUp = false;
    const failed = Promise.all([errorOf(client.decrypt(CIPHERTEXT, call)), errorOf(client.decrypt(CIPHERTEXT, call))]);
    await clock.pass(300);
    await failed;
    assert.equal(asked(), 5);
    assert.match((await errorOf(client.decrypt(CIPHERTEXT, call))).message, /out of service since .*Z: answered 503/);
    assert.equal(asked(), 5);
    transport.isUp = true;
    await clock.pass(5_000);
    assert.deepEqual((await client.decrypt(CIPHERTEXT, call)).plaintext, DATA_KEY);
    assert.deepEqual(
      events.map(({ kind }) => kind),
      ["circuit_opened", "circuit_closed"],
    );
  });

  test("is left alone by calls that wait for a token or a quota: only one that is sent is a trial", async (t) => {
    const { decrypt, client, call, clock, transport } = await setUp(t, [failureOf()], { earned: 10 });
    for (let count = 0; count < 3; count += 1) await errorOf(decrypt());
    await clock.pass(5_000);
    const never = { ...call.tokens, getToken: () => new Promise<never>(() => {}) };
    void client.decrypt(CIPHERTEXT, { ...call, tokens: never });
    const before = transport.sent.length;
    await errorOf(decrypt());
    assert.equal(transport.sent.length, before + 1);
  });

  test("loses its callers at their attempts' time limit, all of which count at once", async (t) => {
    const { client, call, clock, events } = await setUp(t, [() => "hang"], { earned: 40 });
    const failed = Array.from({ length: 8 }, () => errorOf(client.decrypt(CIPHERTEXT, call)));
    await clock.pass(3_000);
    assert.deepEqual(
      events.map(({ kind }) => kind),
      ["circuit_opened"],
    );
    await clock.pass(3_000);
    for (const { message } of await Promise.all(failed)) assert.match(message, /did not answer within 3000 ms/);
  });
});

describe("a used up quota", () => {
  const throttled = failureOf({ retry: "when_admitted", endpointIsIll: false }, "answered 429");

  test("is asked again in turn, not before", async (t) => {
    const { client, call, clock, events, asked } = await setUp(t, [throttled, GOOD]);
    const answer = client.decrypt(CIPHERTEXT, call);
    await clock.pass(999);
    assert.equal(asked(), 1);
    await clock.pass(1);
    assert.deepEqual((await answer).plaintext, DATA_KEY);
    assert.deepEqual(
      events.map(({ kind }) => kind),
      ["quota_limited"],
    );
  });

  test("says so rather than how the queue was when the retry finds no room", async (t) => {
    const { client, call } = await setUp(
      t,
      [failureOf({ retry: "when_admitted", retryAfterMs: 30_000, endpointIsIll: false }, "answered 429")],
      { earned: 3 },
    );
    assert.match((await errorOf(client.decrypt(CIPHERTEXT, call))).message, /answered 429/);
  });
});

describe("a client", () => {
  test("keeps its requests within the budget while all of them are damaged", async (t) => {
    const { decrypt, asked } = await setUp(t, [answerOf(DATA_KEY, { payloadCrc32c: 1 })]);
    for (let count = 0; count < 1_000; count += 1) await errorOf(decrypt());
    assert.equal(asked(), 1_200);
  });

  test("leaves no timer behind, whatever became of its calls", async (t) => {
    const replies = [GOOD, answerOf(DATA_KEY, { payloadCrc32c: 1 }), failureOf(), GOOD];
    const { decrypt, clock } = await setUp(t, replies);
    for (let count = 0; count < 3; count += 1) await decrypt().catch(() => {});
    assert.equal(clock.pendingTimers, 0);
  });

  test("closes its transport and ends its probing", async (t) => {
    const { decrypt, client, clock, transport } = await setUp(t, [failureOf()], { earned: 10 });
    for (let count = 0; count < 3; count += 1) await errorOf(decrypt());
    await client.close();
    assert.equal(transport.isClosed, true);
    assert.equal(clock.pendingTimers, 0);
  });
});
