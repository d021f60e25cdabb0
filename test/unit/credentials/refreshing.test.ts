import assert from "node:assert/strict";
import { test } from "node:test";
import { KeyServiceError } from "../../../src/core/errors.ts";
import { createRefreshing, type RefreshReport } from "../../../src/credentials/refreshing.ts";
import type { HeldToken, TokenHolder, TokenSource } from "../../../src/credentials/token.ts";
import { createFakeClock, settle } from "../../fakes/clock.ts";
import { createScriptedSource, createToken } from "../../fakes/token-source.ts";

const HOUR_MS = 3_600_000;
const never = new AbortController().signal;

function setUp(options: { random?: () => number } = {}) {
  const clock = createFakeClock();
  const source = createScriptedSource();
  const reports: RefreshReport[] = [];
  const holder = createRefreshing(source, {
    clock,
    random: options.random ?? (() => 0.5),
    onRefresh: (report) => reports.push(report),
  });
  const answer = (text: string, lifeMs = HOUR_MS) => source.next().succeed(createToken(text, clock.nowMs() + lifeMs));
  /** Gets a token through a fetch that is answered with `text`. */
  const prime = async (text: string, lifeMs = HOUR_MS): Promise<HeldToken> => {
    const call = holder.getToken(never);
    answer(text, lifeMs);
    return call;
  };
  return { clock, source, holder, reports, answer, prime };
}

const unavailable = () => new KeyServiceError("credential_unavailable", { problem: "endpoint is down" });
const rejected = () => new KeyServiceError("credential_rejected", { problem: "key was deleted" });
const withCode = (code: string) => (error: unknown) => error instanceof KeyServiceError && error.code === code;
const textOf = (token: HeldToken) => token.accessToken.reveal();

test("ten thousand concurrent callers of a cold source make exactly one fetch", async () => {
  const { holder, source, answer } = setUp();
  const calls = Array.from({ length: 10_000 }, () => holder.getToken(never));
  assert.equal(source.fetches, 1, "claimed before anything is awaited");
  answer("a");
  const tokens = await Promise.all(calls);
  assert.equal(source.fetches, 1);
  assert.ok(tokens.every((token) => textOf(token) === "a" && token.generation === 1));
});

test("a stale token is served while one refresh runs behind it", async () => {
  const { holder, source, clock, prime, answer } = setUp();
  await prime("a");
  clock.advance(HOUR_MS - 226_000);
  assert.equal(textOf(await holder.getToken(never)), "a");
  assert.equal(source.fetches, 1, "fresh until its window begins");
  clock.advance(80_000);
  const calls = await Promise.all(Array.from({ length: 100 }, () => holder.getToken(never)));
  assert.ok(calls.every((token) => textOf(token) === "a"));
  assert.equal(source.fetches, 2);
  answer("b");
  await settle();
  assert.equal(textOf(await holder.getToken(never)), "b");
  assert.equal(source.fetches, 2);
});

test("refreshes of a fleet are spread over the window", async () => {
  const begins = await Promise.all(
    [0, 0.25, 0.5, 0.75, 0.999].map(async (random) => {
      const { holder, source, clock, prime } = setUp({ random: () => random });
      await prime("a");
      clock.advance(HOUR_MS - 230_000);
      for (let leftS = 230; leftS > 0; leftS -= 1) {
        await holder.getToken(never);
        if (source.fetches === 2) return leftS;
        clock.advance(1000);
      }
      return 0;
    }),
  );
  assert.deepEqual(begins, [115, 142, 170, 197, 224]);
});

test("a token that lives shorter than the window is not refreshed at each call", async () => {
  const { holder, source, clock, prime } = setUp();
  await prime("a", 60_000);
  for (let second = 0; second < 44; second += 1) {
    await holder.getToken(never);
    clock.advance(1000);
  }
  assert.equal(source.fetches, 1);
});

test("a failed refresh never displaces a token that is still valid", async () => {
  const { holder, source, clock, prime } = setUp();
  await prime("a");
  clock.advance(HOUR_MS - 100_000);
  let attempts = 0;
  while (clock.nowMs() < Date.UTC(2026, 0, 1) + HOUR_MS - 5000) {
    assert.equal(textOf(await holder.getToken(never)), "a");
    if (source.pending.length > 0) {
      attempts += 1;
      source.next().fail(attempts % 2 === 0 ? rejected() : unavailable());
      await settle();
    }
    clock.advance(500);
  }
  assert.ok(attempts > 5, `retried through the window, ${attempts} times`);
  assert.ok(attempts < 60, `with backoff, ${attempts} times`);
});

test("a token is not served when less than five seconds of it are left", async () => {
  const { holder, source, clock, prime } = setUp();
  await prime("a");
  clock.advance(HOUR_MS - 5000);
  assert.equal(textOf(await holder.getToken(never)), "a");
  clock.advance(1);
  source.next().fail(unavailable());
  await settle();
  await assert.rejects(holder.getToken(never), withCode("credential_unavailable"));
});

test("an outage that outlasts the token is over for callers within two seconds of its end", async () => {
  const { holder, source, clock, prime } = setUp({ random: () => 0.999 });
  await prime("a");
  clock.advance(2 * HOUR_MS);
  for (let round = 0; round < 50; round += 1) {
    const call = holder.getToken(never);
    source.next().fail(unavailable());
    await assert.rejects(call, withCode("credential_unavailable"));
    await assert.rejects(holder.getToken(never), withCode("credential_unavailable"));
    assert.equal(source.pending.length, 0, "the failure is remembered");
    clock.advance(2000);
  }
  assert.equal(textOf(await prime("b")), "b");
});

test("what only an operator can mend is asked for every few seconds, not at every call", async () => {
  const { holder, source, clock } = setUp();
  for (let tenth = 0; tenth < 600; tenth += 1) {
    const call = holder.getToken(never);
    if (source.pending.length > 0) source.next().fail(rejected());
    await assert.rejects(call, withCode("credential_rejected"));
    clock.advance(100);
  }
  assert.ok(source.fetches >= 12 && source.fetches <= 24, `${source.fetches} fetches in a minute`);
});

test("a caller that gives up gets its own reason and fails nobody else", async () => {
  const { holder, source, answer } = setUp();
  const controller = new AbortController();
  const reason = new KeyServiceError("deadline_exceeded", { problem: "the rule's deadline" });
  const impatient = holder.getToken(controller.signal);
  const patient = holder.getToken(never);
  controller.abort(reason);
  await assert.rejects(impatient, (error) => error === reason);
  await assert.rejects(holder.getToken(controller.signal), (error) => error === reason);
  assert.equal(source.next().signal.aborted, false, "the refresh goes on");
  answer("a");
  assert.equal(textOf(await patient), "a");
  assert.equal(source.fetches, 1);
});

test("a caller that had given up before it called gets no token and starts no fetch", async () => {
  const { holder, source, prime } = setUp();
  await assert.rejects(holder.getToken(AbortSignal.abort()), withCode("cancelled"));
  assert.equal(source.fetches, 0);
  await prime("a");
  await assert.rejects(holder.getToken(AbortSignal.abort()), withCode("cancelled"));
});

test("a success ends the memory of the failures before it", async () => {
  const { holder, source, clock, prime } = setUp({ random: () => 0.999 });
  const call = holder.getToken(never);
  source.next().fail(rejected());
  await assert.rejects(call);
  clock.advance(5000);
  const { generation } = await prime("a", 10_000);
  holder.invalidate(generation);
  clock.advance(1);
  assert.equal(textOf(await prime("b")), "b");
  for (let failures = 0; failures < 2; failures += 1) {
    clock.advance(HOUR_MS);
    const next = holder.getToken(never);
    source.next().fail(unavailable());
    await assert.rejects(next);
    clock.advance(400);
    assert.equal(textOf(await prime("c")), "c", "the backoff begins anew with its first step");
  }
});

test("a source that ignores its signal frees its callers and the slot at the deadline", async () => {
  const { holder, source, clock, answer } = setUp();
  const calls = [holder.getToken(never), holder.getToken(never)];
  const outcomes = Promise.allSettled(calls);
  await clock.pass(10_000);
  assert.equal(source.next().signal.aborted, true);
  for (const outcome of await outcomes) {
    assert.ok(outcome.status === "rejected" && withCode("credential_unavailable")(outcome.reason));
    assert.match(outcome.reason.message, /no token came within 10 seconds/);
  }
  clock.advance(2000);
  const hung = source.next();
  const next = holder.getToken(never);
  source.pending[1]?.succeed(createToken("new", clock.nowMs() + HOUR_MS));
  assert.equal(textOf(await next), "new");
  hung.succeed(createToken("late and old", clock.nowMs() + 2 * HOUR_MS));
  await settle();
  assert.equal(textOf(await holder.getToken(never)), "new", "a late answer replaces nothing");
  assert.throws(() => answer("none is pending"));
  assert.equal(clock.pendingTimers, 0);
});

test("a source that throws before it returns a promise has failed like any other", async () => {
  const clock = createFakeClock();
  const source = {
    name: "broken",
    fetchToken: () => {
      throw rejected();
    },
  };
  const holder = createRefreshing(source, { clock });
  await assert.rejects(holder.getToken(never), /key was deleted\ntoken source: broken/);
});

test("a holder is not a source, so that none can be wrapped again", async () => {
  // The compiler refuses this line as soon as a holder would do for a source.
  const holderIsSource: TokenHolder extends TokenSource ? true : false = false;
  assert.equal(holderIsSource, false);
  assert.ok(!("fetchToken" in setUp().holder));
});

test("each refresh is reported with its outcome and what is served from then on", async () => {
  const { holder, source, clock, reports, prime } = setUp();
  const { expiresAtMs } = await prime("a");
  clock.advance(HOUR_MS - 100_000);
  await holder.getToken(never);
  clock.advance(250);
  source.next().fail(unavailable());
  await settle();
  assert.equal(reports.length, 2);
  assert.deepEqual(reports[0], { source: "scripted", durationMs: 0, expiresAtMs });
  assert.equal(reports[1]?.error?.code, "credential_unavailable");
  assert.equal(reports[1]?.durationMs, 250);
  assert.equal(reports[1]?.expiresAtMs, expiresAtMs);
});
