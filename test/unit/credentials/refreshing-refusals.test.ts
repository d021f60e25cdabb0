import assert from "node:assert/strict";
import { test } from "node:test";
import { KeyServiceError } from "../../../src/core/errors.ts";
import { createRefreshing } from "../../../src/credentials/refreshing.ts";
import { createFakeClock, settle } from "../../fakes/clock.ts";
import { createAnsweringSource, createScriptedSource, createToken } from "../../fakes/token-source.ts";

const HOUR_MS = 3_600_000;
const never = new AbortController().signal;

function setUp() {
  const clock = createFakeClock();
  const source = createAnsweringSource((number) => createToken(`t${number}`, clock.nowMs() + HOUR_MS));
  const holder = createRefreshing(source, { clock, random: () => 0.5 });
  return { clock, source, holder };
}

test("a refused token is replaced by the next call", async () => {
  const { holder, source } = setUp();
  const first = await holder.getToken(never);
  holder.invalidate(first.generation);
  assert.equal(source.fetches, 1, "nobody asked for one yet");
  const second = await holder.getToken(never);
  assert.equal(second.accessToken.reveal(), "t2");
  assert.ok(second.generation > first.generation);
});

test("many callers that refuse the same token cost one fetch", async () => {
  const { holder, source } = setUp();
  const first = await holder.getToken(never);
  const second = await Promise.all(
    Array.from({ length: 100 }, () => {
      holder.invalidate(first.generation);
      return holder.getToken(never);
    }),
  );
  for (let index = 0; index < 100; index += 1) holder.invalidate(first.generation);
  assert.equal((await holder.getToken(never)).generation, second[0]?.generation);
  assert.equal(source.fetches, 2);
});

test("a generation that is not held is ignored, older or newer", async () => {
  const { holder, source } = setUp();
  const { generation } = await holder.getToken(never);
  holder.invalidate(generation - 1);
  holder.invalidate(generation + 1);
  assert.equal((await holder.getToken(never)).generation, generation);
  assert.equal(source.fetches, 1);
});

test("a storm of refused calls does not become a storm of token requests", async () => {
  const { holder, source, clock } = setUp();
  for (let tenth = 0; tenth < 600; tenth += 1) {
    holder.invalidate((await holder.getToken(never)).generation);
    clock.advance(100);
  }
  assert.ok(source.fetches >= 2 + 60 / 5 - 1, `${source.fetches} fetches in a minute`);
  assert.ok(source.fetches <= 2 + 60 / 2.5, `${source.fetches} fetches in a minute`);
});

test("a replacement that is refused as well is served on, for it may be others that refuse it who are wrong", async () => {
  const { holder, source, clock } = setUp();
  holder.invalidate((await holder.getToken(never)).generation);
  const replacement = await holder.getToken(never);
  holder.invalidate(replacement.generation);
  assert.equal((await holder.getToken(never)).generation, replacement.generation);
  assert.equal(source.fetches, 2, "not at once");
  clock.advance(5_000);
  assert.equal((await holder.getToken(never)).generation, replacement.generation, "nobody waits for the next");
  await settle();
  assert.equal((await holder.getToken(never)).accessToken.reveal(), "t3");
});

test("a replacement whose time is over while it is doubted is not served, and the error says what was refused", async () => {
  const clock = createFakeClock();
  const source = createAnsweringSource((number) => createToken(`t${number}`, clock.nowMs() + 11_000));
  const holder = createRefreshing(source, { clock, random: () => 0.9 });
  holder.invalidate((await holder.getToken(never)).generation);
  const replacement = await holder.getToken(never);
  clock.advance(4_900);
  holder.invalidate(replacement.generation);
  clock.advance(1_200);
  await assert.rejects(holder.getToken(never), /refused one new token of this source after the other/);
});

test("refusals that are far apart are each followed by a fetch at once", async () => {
  const { holder, source, clock } = setUp();
  for (let round = 1; round <= 10; round += 1) {
    const { generation } = await holder.getToken(never);
    assert.equal(source.fetches, round);
    holder.invalidate(generation);
    clock.advance(60_000);
  }
});

test("a refresh that runs while the token is refused serves those who ask then", async () => {
  const clock = createFakeClock();
  const source = createScriptedSource();
  const holder = createRefreshing(source, { clock, random: () => 0.5 });
  const cold = holder.getToken(never);
  source.next().succeed(createToken("a", clock.nowMs() + HOUR_MS));
  const { generation } = await cold;
  clock.advance(HOUR_MS - 60_000);
  await holder.getToken(never);
  holder.invalidate(generation);
  const waiting = holder.getToken(never);
  assert.equal(source.fetches, 2);
  source.next().succeed(createToken("b", clock.nowMs() + HOUR_MS));
  assert.equal((await waiting).accessToken.reveal(), "b");
  await settle();
  assert.equal(source.fetches, 2);
});

test("a token that cannot be sent is not held, and not shown", async () => {
  const clock = createFakeClock();
  const source = createAnsweringSource((number) =>
    createToken(number === 1 ? "ya29.t\r\nx: y" : "ya29.t", clock.nowMs() + HOUR_MS),
  );
  const holder = createRefreshing(source, { clock, random: () => 0.5 });
  await assert.rejects(holder.getToken(never), (error) => {
    assert.ok(error instanceof KeyServiceError && error.code === "credential_unavailable");
    assert.match(error.message, /holds what cannot be in a token/);
    assert.doesNotMatch(error.message, /ya29/);
    return true;
  });
  clock.advance(10_000);
  assert.equal((await holder.getToken(never)).accessToken.reveal(), "ya29.t");
});

test("whom a token is for, and how it was come by, are held as they may be shown", async () => {
  const clock = createFakeClock();
  const token = createToken("t", clock.nowMs() + HOUR_MS);
  const source = createAnsweringSource(() => ({ ...token, principal: "a\u001b[2J", steps: [`${"b".repeat(400)}\n`] }));
  const held = await createRefreshing(source, { clock }).getToken(never);
  assert.equal(held.principal, "a?[2J");
  assert.ok(held.steps.every((step) => step.length <= 300 && !step.includes("\n")));
});
