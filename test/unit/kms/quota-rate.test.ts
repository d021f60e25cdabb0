import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createQuotaRate, type QuotaRate } from "../../../src/kms/quota-rate.ts";
import { createFakeClock, type FakeClock } from "../../fakes/clock.ts";

/** A second in which so many calls were answered, and then one was refused. */
function refuseAt(rate: QuotaRate, clock: FakeClock, answered: number, retryAfterMs?: number): void {
  clock.advance(1_000);
  for (let count = 0; count < answered; count += 1) rate.succeeded();
  rate.throttled(retryAfterMs);
}

/** How many may be sent in that time, asked every millisecond. */
function takeFor(rate: QuotaRate, clock: FakeClock, ms: number): number {
  let taken = 0;
  for (let passed = 0; passed < ms; passed += 1) {
    clock.advance(1);
    while (rate.take()) taken += 1;
  }
  return taken;
}

describe("the rate of a quota", () => {
  test("limits nothing until something was refused", () => {
    const rate = createQuotaRate(createFakeClock());
    assert.equal(rate.perSecond, undefined);
    for (let count = 0; count < 10_000; count += 1) assert.ok(rate.take());
    assert.equal(rate.waitMs(), 0);
  });

  test("becomes seven tenths of what went through when it was refused", () => {
    const clock = createFakeClock();
    const rate = createQuotaRate(clock);
    refuseAt(rate, clock, 100);
    assert.equal(rate.perSecond, 70);
    assert.equal(takeFor(rate, clock, 900), 63);
  });

  test("is one call a second where none went through", () => {
    const clock = createFakeClock();
    const rate = createQuotaRate(clock);
    rate.throttled(undefined);
    assert.equal(rate.perSecond, 1);
    assert.equal(rate.take(), false);
    assert.equal(rate.waitMs(), 1_000);
  });

  test("is cut once for all the refusals of a second", () => {
    const clock = createFakeClock();
    const rate = createQuotaRate(clock);
    refuseAt(rate, clock, 100);
    for (let count = 0; count < 50; count += 1) rate.throttled(undefined);
    assert.equal(rate.perSecond, 70);
  });

  test("grows again, slowly, while nothing is refused", () => {
    const clock = createFakeClock();
    const rate = createQuotaRate(clock);
    refuseAt(rate, clock, 100);
    const seen = Array.from({ length: 10 }, () => {
      clock.advance(1_000);
      return rate.perSecond ?? 0;
    });
    assert.equal(seen[0], 70 + 3.5 + 1);
    assert.ok((seen.at(-1) ?? 0) > 120 && (seen.at(-1) ?? 0) < 140);
  });

  test("lets nothing through before Retry-After", () => {
    const clock = createFakeClock();
    const rate = createQuotaRate(clock);
    refuseAt(rate, clock, 100, 3_000);
    assert.equal(takeFor(rate, clock, 2_999), 0);
    assert.equal(takeFor(rate, clock, 1), 1);
  });

  test("is never shortened by a refusal that asks for less", () => {
    const clock = createFakeClock();
    const rate = createQuotaRate(clock);
    refuseAt(rate, clock, 100, 3_000);
    rate.throttled(0);
    assert.equal(rate.waitMs(), 3_000);
  });

  test("saves up no more than one call while nobody asks", () => {
    const clock = createFakeClock();
    const rate = createQuotaRate(clock);
    refuseAt(rate, clock, 10);
    clock.advance(30_000);
    let burst = 0;
    while (rate.take()) burst += 1;
    assert.ok(burst <= 2, `${burst} at once`);
  });

  test("is forgotten after a minute without a refusal", () => {
    const clock = createFakeClock();
    const rate = createQuotaRate(clock);
    refuseAt(rate, clock, 100);
    clock.advance(60_001);
    assert.equal(rate.perSecond, undefined);
    assert.ok(rate.take());
  });

  for (const quota of [5, 50, 500]) {
    test(`settles near a quota of ${quota} a second: most of it is used and little is refused`, () => {
      const clock = createFakeClock();
      const rate = createQuotaRate(clock);
      let [sent, refused] = [0, 0];
      for (let second = 0; second < 120; second += 1) {
        const outcome = runSecond(rate, clock, quota);
        if (second >= 60) {
          sent += outcome.answered;
          refused += outcome.refused;
        }
      }
      assert.ok(sent >= 0.6 * quota * 60, `${sent} of ${quota * 60} were used`);
      assert.ok(refused <= 0.1 * sent, `${refused} were refused`);
    });
  }
});

/** A second of callers who always want more, at a quota that refuses what goes beyond it. */
function runSecond(rate: QuotaRate, clock: FakeClock, quota: number): { answered: number; refused: number } {
  let [answered, refused] = [0, 0];
  for (let ms = 0; ms < 1_000; ms += 1) {
    clock.advance(1);
    for (let burst = 0; burst < 20 && rate.take(); burst += 1) {
      if (answered < quota) {
        answered += 1;
        rate.succeeded();
      } else {
        refused += 1;
        rate.throttled(undefined);
      }
    }
  }
  return { answered, refused };
}
