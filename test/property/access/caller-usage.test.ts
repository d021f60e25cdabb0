import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { createCallerUsage } from "../../../src/access/caller-usage.ts";
import { createFakeClock } from "../../fakes/clock.ts";

/** A token bucket as textbooks have it, in whole microtokens so that nothing is rounded. */
function createTextbookBucket(callsPerSecond: number, burst: number) {
  const MICRO = 1_000_000;
  let tokens = burst * MICRO;
  return {
    pass(ms: number) {
      tokens = Math.min(burst * MICRO, tokens + ms * callsPerSecond * (MICRO / 1_000));
    },
    take(): boolean {
      if (tokens < MICRO) return false;
      tokens -= MICRO;
      return true;
    },
  };
}

const limit = fc.record({
  callsPerSecond: fc.integer({ min: 1, max: 100 }),
  burst: fc.integer({ min: 1, max: 20 }),
  callsAtOnce: fc.constant(undefined),
});
const steps = fc.array(fc.oneof(fc.constant("call" as const), fc.integer({ min: 0, max: 300 })), { maxLength: 200 });

test("a caller's bucket lets in exactly whom a textbook's token bucket lets in, and its wait is the shortest", () => {
  fc.assert(
    fc.property(limit, steps, (config, schedule) => {
      const clock = createFakeClock();
      const usage = createCallerUsage(clock).of("caller team-a");
      const bucket = createTextbookBucket(config.callsPerSecond, config.burst);
      for (const step of schedule) {
        if (step !== "call") {
          clock.advance(step);
          bucket.pass(step);
          continue;
        }
        const waitMs = usage.waitMs(config);
        assert.equal(waitMs === 0, bucket.take());
        if (waitMs === 0) usage.enter(config);
        else assert.ok(waitMs <= 1_000 / config.callsPerSecond + 1e-6, `${waitMs}`);
      }
    }),
    { numRuns: 2_000 },
  );
});

test("in any time, no more calls are let in than the burst and what the rate gives", () => {
  fc.assert(
    fc.property(limit, steps, (config, schedule) => {
      const clock = createFakeClock();
      const usage = createCallerUsage(clock).of("caller team-a");
      const begunMs = clock.monotonicMs();
      let letIn = 0;
      for (const step of schedule) {
        if (step !== "call") clock.advance(step);
        else if (usage.waitMs(config) === 0) {
          usage.enter(config);
          letIn += 1;
        }
      }
      const seconds = (clock.monotonicMs() - begunMs) / 1_000;
      return letIn <= config.burst + seconds * config.callsPerSecond + 1e-6;
    }),
    { numRuns: 1_000 },
  );
});
