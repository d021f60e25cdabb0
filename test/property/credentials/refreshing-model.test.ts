import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { settle } from "../../fakes/clock.ts";
import { RefreshingModel, type Step } from "./refreshing-model.ts";

/** How many random schedules are run; `npm run test:long` sets more. */
const SCHEDULES = Number(process.env["SCHEDULES"] ?? 3000);
/** To run again what failed: the seed that the failure printed. Without it every run draws its own. */
const SEED = process.env["SEED"];
/** Where it only matters that it fails, the search for the shortest schedule that fails is a waste. */
const SHRINKS = process.env["SHRINK"] !== "no";
const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

const milliseconds = fc.oneof(
  { weight: 4, arbitrary: fc.integer({ min: 0, max: 3000 }) },
  { weight: 3, arbitrary: fc.integer({ min: 0, max: 5 * MINUTE_MS }) },
  { weight: 2, arbitrary: fc.integer({ min: 0, max: 2 * HOUR_MS }) },
  // Where an hour's token is in its window or just over.
  { weight: 2, arbitrary: fc.integer({ min: HOUR_MS - 5 * MINUTE_MS, max: HOUR_MS + 1000 }) },
);
const jump = fc.oneof(
  fc.constantFrom(-HOUR_MS, HOUR_MS),
  fc.integer({ min: -2 * HOUR_MS, max: 2 * HOUR_MS }),
  fc.integer({ min: -3000, max: 3000 }),
);
const lifeMs = fc.oneof(
  { weight: 6, arbitrary: fc.constant(HOUR_MS) },
  { weight: 3, arbitrary: fc.integer({ min: 10_000, max: 5 * MINUTE_MS }) },
  { weight: 1, arbitrary: fc.constantFrom(-1, 0, 9999, 10_000, 13 * HOUR_MS, 13 * HOUR_MS + 1, 26 * HOUR_MS) },
);
const index = fc.nat({ max: 3 });
const code = fc.constantFrom("credential_unavailable" as const, "credential_rejected" as const);

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 10, arbitrary: fc.record({ kind: fc.constant("call" as const), callers: fc.integer({ min: 1, max: 3 }) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("abort" as const), index }) },
  { weight: 7, arbitrary: fc.record({ kind: fc.constant("succeed" as const), index, lifeMs }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("fail" as const), index, code }) },
  { weight: 8, arbitrary: fc.record({ kind: fc.constant("advance" as const), ms: milliseconds }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("jumpWall" as const), ms: jump }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("suspend" as const), ms: milliseconds }) },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant("invalidate" as const), offset: fc.integer({ min: -1, max: 1 }) }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("settle" as const) }) },
);

test("the refresher keeps its promises over random interleavings", async () => {
  const schedule = fc.array(step, { minLength: 1, maxLength: 60, size: "max" });
  const draws = fc.array(fc.double({ min: 0, max: 0.999, noNaN: true }), { minLength: 1, maxLength: 5 });
  await fc.assert(
    fc.asyncProperty(schedule, draws, async (steps, randoms) => {
      let draw = 0;
      const model = new RefreshingModel(() => randoms[draw++ % randoms.length] ?? 0);
      for (const each of steps) {
        await model.run(each);
        if (model.broken !== undefined) throw model.broken;
      }
      await model.end();
      await settle();
      assert.ifError(model.broken);
    }),
    { numRuns: SCHEDULES, endOnFailure: !SHRINKS, ...(SEED === undefined ? {} : { seed: Number(SEED) }) },
  );
});
