import assert from "node:assert/strict";
import { test } from "node:test";
import { KeyServiceError } from "../../../src/core/errors.ts";
import { createRefreshing } from "../../../src/credentials/refreshing.ts";
import { createFakeClock } from "../../fakes/clock.ts";
import { createAnsweringSource, createScriptedSource, createToken } from "../../fakes/token-source.ts";

const HOUR_MS = 3_600_000;
const never = new AbortController().signal;

function setUp() {
  const clock = createFakeClock();
  const source = createAnsweringSource((number) => createToken(`t${number}`, clock.nowMs() + HOUR_MS));
  const holder = createRefreshing(source, { clock, random: () => 0.5 });
  return { clock, source, holder };
}

test("a wall clock set back by an hour does not revive a token that is over", async () => {
  const { holder, source, clock } = setUp();
  await holder.getToken(never);
  clock.advance(HOUR_MS / 2);
  clock.jumpWall(-HOUR_MS);
  assert.equal((await holder.getToken(never)).generation, 1, "half of its life is left by both clocks");
  clock.advance(HOUR_MS / 2);
  assert.equal((await holder.getToken(never)).generation, 2);
  assert.equal(source.fetches, 2);
});

test("a wall clock set forward by an hour costs one fetch", async () => {
  const { holder, source, clock } = setUp();
  await holder.getToken(never);
  clock.jumpWall(HOUR_MS);
  for (let call = 0; call < 100; call += 1) assert.equal((await holder.getToken(never)).generation, 2);
  clock.jumpWall(-HOUR_MS);
  for (let call = 0; call < 100; call += 1) assert.equal((await holder.getToken(never)).generation, 2);
  assert.equal(source.fetches, 2);
});

test("a machine that slept through a token's life does not serve it", async () => {
  const { holder, source, clock } = setUp();
  await holder.getToken(never);
  clock.suspend(8 * HOUR_MS);
  assert.equal((await holder.getToken(never)).generation, 2);
  assert.equal(source.fetches, 2);
});

test("what the clocks disagree about while a token is on its way is taken off its life", async () => {
  const clock = createFakeClock();
  const source = createScriptedSource();
  const holder = createRefreshing(source, { clock, random: () => 0.5 });
  const call = holder.getToken(never);
  const issuedFor = clock.nowMs() + HOUR_MS;
  clock.jumpWall(-HOUR_MS / 2);
  source.next().succeed(createToken("a", issuedFor));
  await call;
  clock.advance(HOUR_MS);
  holder.getToken(never).catch(() => {});
  assert.equal(source.fetches, 2, "not valid for an hour and a half");
});

const absurd = [
  { name: "NaN", lifeMs: Number.NaN, code: "credential_rejected", says: /without a usable expiry/ },
  { name: "infinite", lifeMs: Number.POSITIVE_INFINITY, code: "credential_rejected", says: /without a usable expiry/ },
  { name: "26 hours ahead", lifeMs: 26 * HOUR_MS, code: "credential_rejected", says: /valid for 26 hours/ },
  { name: "past", lifeMs: -1, code: "credential_unavailable", says: /expired when it came/ },
  { name: "a moment ahead", lifeMs: 9000, code: "credential_unavailable", says: /only 9 seconds to live/ },
];

for (const { name, lifeMs, code, says } of absurd) {
  test(`an expiry that is ${name} is refused, and does not displace the token that is held`, async () => {
    const clock = createFakeClock();
    let nextLifeMs = HOUR_MS;
    const source = createAnsweringSource((number) => createToken(`t${number}`, clock.nowMs() + nextLifeMs));
    const cold = createRefreshing(source, { clock });
    const warm = createRefreshing(source, { clock });
    await warm.getToken(never);
    nextLifeMs = lifeMs;
    await assert.rejects(cold.getToken(never), (error) => {
      assert.ok(error instanceof KeyServiceError);
      assert.equal(error.code, code);
      assert.match(error.message, says);
      assert.match(error.message, /token source: answering/);
      return true;
    });
    clock.advance(HOUR_MS - 60_000);
    assert.equal((await warm.getToken(never)).generation, 1);
  });
}
