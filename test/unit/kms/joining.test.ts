import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { KeyServiceError } from "../../../src/core/errors.ts";
import { joinIdenticalCalls } from "../../../src/kms/joining.ts";
import type { KmsCall } from "../../../src/kms/kms-client.ts";
import { parseCryptoKeyName } from "../../../src/routing/resource-name.ts";
import { settle } from "../../fakes/clock.ts";
import { createFakeKmsClient, FAKE_KEY, fakeCall } from "../../fakes/kms-client.ts";
import { createFakeTokenHolder } from "../../fakes/token-holder.ts";

const CIPHERTEXT = Buffer.from("ciphertext");
const tokens = createFakeTokenHolder();

function setUp() {
  const below = createFakeKmsClient();
  return { below, client: joinIdenticalCalls(below) };
}

function callOf(caller = new AbortController()): KmsCall {
  return fakeCall({ tokens, signal: caller.signal });
}

describe("identical calls in flight", () => {
  test("are one question to Cloud KMS, and each gets the answer", async () => {
    const { below, client } = setUp();
    const answers = Array.from({ length: 5 }, () => client.decrypt(CIPHERTEXT, callOf()));
    assert.equal(below.pending.length, 1);
    below.pending[0]?.answer();
    const results = await Promise.all(answers);
    for (const { plaintext } of results) assert.deepEqual(plaintext, below.pending[0]?.answered);
    assert.deepEqual(
      results.map(({ servedBy }) => servedBy),
      [undefined, "joined", "joined", "joined", "joined"],
    );
  });

  test("are joined when they encrypt as well", async () => {
    const { below, client } = setUp();
    const answers = [client.encrypt(CIPHERTEXT, callOf()), client.encrypt(CIPHERTEXT, callOf())];
    assert.equal(below.pending.length, 1);
    below.pending[0]?.answer();
    const [first, second] = await Promise.all(answers);
    assert.deepEqual(first?.ciphertext, second?.ciphertext);
    assert.equal(second?.keyVersion, `${FAKE_KEY}/1`);
  });

  test("each own their bytes: who wipes theirs wipes nobody else's", async () => {
    const { below, client } = setUp();
    const leader = client.decrypt(CIPHERTEXT, callOf()).then(({ plaintext }) => plaintext.fill(0));
    const follower = client.decrypt(CIPHERTEXT, callOf());
    const expected = Buffer.from(below.pending[0]?.answered ?? "");
    below.pending[0]?.answer();
    await leader;
    assert.deepEqual((await follower).plaintext, expected);
  });

  test("fail alike where Cloud KMS fails", async () => {
    const { below, client } = setUp();
    const answers = [client.decrypt(CIPHERTEXT, callOf()), client.decrypt(CIPHERTEXT, callOf())];
    below.pending[0]?.fail(new KeyServiceError("kms_permission_denied", { problem: "no", remedy: "ask" }));
    for (const { status, reason } of (await Promise.allSettled(answers)) as PromiseRejectedResult[]) {
      assert.equal(status, "rejected");
      assert.equal((reason as KeyServiceError).code, "kms_permission_denied");
    }
    assert.equal(below.pending.length, 1);
  });

  test("go on when the one who asked gives up: one of the others asks anew", async () => {
    const { below, client } = setUp();
    const impatient = new AbortController();
    const leader = client.decrypt(CIPHERTEXT, callOf(impatient));
    const followers = [client.decrypt(CIPHERTEXT, callOf()), client.decrypt(CIPHERTEXT, callOf())];
    impatient.abort();
    await assert.rejects(leader, { code: "cancelled" });
    await settle();
    assert.equal(below.pending.length, 2);
    below.pending[1]?.answer();
    for (const { plaintext } of await Promise.all(followers)) assert.deepEqual(plaintext, below.pending[1]?.answered);
  });

  test("lose nothing but the one who gives up", async () => {
    const { below, client } = setUp();
    const impatient = new AbortController();
    const leader = client.decrypt(CIPHERTEXT, callOf());
    const follower = client.decrypt(CIPHERTEXT, callOf(impatient));
    impatient.abort();
    await assert.rejects(follower, { code: "cancelled" });
    below.pending[0]?.answer();
    assert.deepEqual((await leader).plaintext, below.pending[0]?.answered);
  });

  test("do not take in one who has given up before", async () => {
    const { below, client } = setUp();
    const leader = client.decrypt(CIPHERTEXT, callOf());
    const gone = new AbortController();
    gone.abort();
    await assert.rejects(client.decrypt(CIPHERTEXT, callOf(gone)), { code: "cancelled" });
    below.pending[0]?.answer();
    await leader;
  });
});

describe("calls that differ", () => {
  for (const [what, other] of [
    ["in the key", { call: fakeCall({ tokens, key: parseCryptoKeyName(`${FAKE_KEY}2`) }) }],
    ["in whose tokens they use", { call: fakeCall({ tokens: createFakeTokenHolder() }) }],
    ["in one bit of what they carry", { payload: Buffer.from("ciphertexu") }],
  ] as const) {
    test(`${what} are asked each`, async () => {
      const { below, client } = setUp();
      const { payload = CIPHERTEXT, call = callOf() } = { payload: undefined, call: undefined, ...other };
      const answers = [client.decrypt(CIPHERTEXT, callOf()), client.decrypt(payload, call)];
      assert.equal(below.pending.length, 2);
      for (const pending of below.pending) pending.answer();
      await Promise.all(answers);
    });
  }

  test("in what they do are asked each", async () => {
    const { below, client } = setUp();
    const answers = [client.decrypt(CIPHERTEXT, callOf()), client.encrypt(CIPHERTEXT, callOf())];
    assert.equal(below.pending.length, 2);
    for (const pending of below.pending) pending.answer();
    await Promise.all<unknown>(answers);
  });

  test("only in time are asked each: nothing is kept once it was answered", async () => {
    const { below, client } = setUp();
    for (const turn of [0, 1]) {
      const answer = client.decrypt(CIPHERTEXT, callOf());
      below.pending[turn]?.answer();
      assert.equal((await answer).servedBy, undefined);
    }
    assert.equal(below.pending.length, 2);
  });
});
