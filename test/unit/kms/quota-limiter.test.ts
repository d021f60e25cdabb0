import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { describe, test } from "node:test";
import { KeyServiceError } from "../../../src/core/errors.ts";
import { createQuotaLimiter, type QuotaEvent } from "../../../src/kms/quota-limiter.ts";
import { createFakeClock } from "../../fakes/clock.ts";

const QUOTA = { project: "p", location: "global" };

/** A limiter that was throttled while `perSecond / 0.7` calls a second went through. */
function setUp(perSecond: number) {
  const clock = createFakeClock();
  const events: QuotaEvent[] = [];
  const limiter = createQuotaLimiter(QUOTA, clock, (event) => events.push(event));
  const limit = () => {
    for (let count = 0; count < perSecond / 0.7; count += 1) limiter.succeeded();
    limiter.throttled(undefined);
  };
  /** The order in which calls were let go, by rule. */
  const started: string[] = [];
  const refused: string[] = [];
  const ask = async (rule: string, signal = new AbortController().signal): Promise<void> => {
    try {
      await limiter.admit(rule, signal);
      started.push(rule);
    } catch (thrown) {
      assert.ok(thrown instanceof KeyServiceError);
      refused.push(`${rule} ${thrown.code}`);
    }
  };
  return { clock, events, limiter, limit, started, refused, ask };
}

describe("a quota's limiter", () => {
  test("lets every call go at once until Cloud KMS has refused one", () => {
    const { limiter } = setUp(10);
    for (let count = 0; count < 1_000; count += 1) {
      assert.equal(limiter.admit("a", new AbortController().signal), undefined);
    }
    assert.ok(limiter.isIdle);
  });

  test("then paces them, and says so once", async () => {
    const { limit, limiter, ask, clock, started, events } = setUp(10);
    limit();
    limiter.throttled(undefined);
    for (let count = 0; count < 20; count += 1) void ask("a");
    await clock.pass(1_000);
    assert.ok(started.length >= 9 && started.length <= 11, `${started.length} in a second`);
    assert.deepEqual(events, [{ kind: "quota_limited", quota: QUOTA, callsPerSecond: 10.5 }]);
  });

  test("serves rules in rotation, however many calls of one wait", async () => {
    const { limit, ask, clock, started } = setUp(10);
    limit();
    for (let count = 0; count < 20; count += 1) void ask("greedy");
    for (const rule of ["b", "c", "b"]) void ask(rule);
    await clock.pass(700);
    assert.deepEqual(started.slice(0, 6), ["greedy", "b", "c", "greedy", "b", "greedy"]);
  });

  test("refuses those who would wait for more than five seconds, and says what is wrong", () => {
    const { limit, ask, limiter, refused } = setUp(10);
    limit();
    for (let count = 0; count < 100; count += 1) void ask("a");
    assert.equal(refused.length, 100 - 52);
    assert.throws(() => limiter.admit("a", new AbortController().signal), {
      code: "kms_throttled",
      message:
        /^the quota of project p in global lets about 11 calls a second through, and as many wait as have a chance\nto do: /,
    });
  });

  test("makes room for a rule of which none waits, at the cost of the one of which most wait", async () => {
    const { limit, ask, clock, started, refused } = setUp(10);
    limit();
    for (let count = 0; count < 52; count += 1) void ask("greedy");
    void ask("modest");
    await clock.pass(300);
    assert.deepEqual(refused, ["greedy kms_throttled"]);
    assert.ok(started.includes("modest"));
  });

  test("refuses all while Cloud KMS asks for a wait that no call should have", () => {
    const { limit, limiter } = setUp(10);
    limit();
    limiter.throttled(30_000);
    assert.throws(() => limiter.admit("a", new AbortController().signal), { code: "kms_throttled" });
  });

  test("honours Retry-After, and goes on then", async () => {
    const { limiter, ask, clock, started } = setUp(10);
    limiter.throttled(2_000);
    void ask("a");
    await clock.pass(1_999);
    assert.deepEqual(started, []);
    await clock.pass(1);
    assert.deepEqual(started, ["a"]);
  });

  test("lets a call that gives up leave, with no timer or listener behind it", async () => {
    const { limit, limiter, clock } = setUp(10);
    limit();
    const caller = new AbortController();
    const waiting = limiter.admit("a", caller.signal);
    assert.equal(clock.pendingTimers, 1);
    const reason = new KeyServiceError("cancelled", { problem: "gone" });
    caller.abort(reason);
    await assert.rejects(Promise.resolve(waiting), reason);
    assert.equal(clock.pendingTimers, 0);
    await clock.pass(61_000);
    assert.ok(limiter.isIdle);
  });

  test("takes nobody in who has given up already", async () => {
    const { limit, limiter, clock } = setUp(10);
    limit();
    await assert.rejects(Promise.resolve(limiter.admit("a", AbortSignal.abort())), { code: "cancelled" });
    assert.equal(clock.pendingTimers, 0);
  });

  test("leaves no listener on the signal of a call that it let go or refused", async () => {
    const { limit, ask, clock } = setUp(10);
    limit();
    const signals = Array.from({ length: 60 }, () => new AbortController().signal);
    for (const [index, signal] of signals.entries()) void ask(index < 52 ? "a" : "b", signal);
    await clock.pass(10_000);
    assert.deepEqual(
      signals.filter((signal) => getEventListeners(signal, "abort").length > 0),
      [],
    );
    assert.equal(clock.pendingTimers, 0);
  });

  test("lets all go that wait when a minute has passed without a refusal", async () => {
    const { limiter, ask, clock, started } = setUp(1);
    limiter.throttled(undefined);
    for (let count = 0; count < 5; count += 1) void ask("a");
    await clock.pass(61_000);
    assert.equal(started.length, 5);
    assert.ok(limiter.isIdle);
  });
});
