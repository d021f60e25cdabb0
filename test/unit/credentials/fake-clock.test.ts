import assert from "node:assert/strict";
import { test } from "node:test";
import { delay } from "../../../src/core/deadline.ts";
import { createFakeClock } from "../../fakes/clock.ts";

test("timers are called in order of their time, each at its own time", () => {
  const clock = createFakeClock({ startMs: 0 });
  const calls: string[] = [];
  clock.schedule(20, () => calls.push(`b@${clock.nowMs()}`));
  clock.schedule(10, () => {
    calls.push(`a@${clock.nowMs()}`);
    clock.schedule(5, () => calls.push(`nested@${clock.nowMs()}`));
  });
  clock.schedule(31, () => calls.push("too late"));
  clock.advance(30);
  assert.deepEqual(calls, ["a@10", "nested@15", "b@20"]);
  assert.equal(clock.nowMs(), 30);
  assert.equal(clock.pendingTimers, 1);
});

test("a cancelled timer is never called", () => {
  const clock = createFakeClock();
  const cancel = clock.schedule(10, () => assert.fail("called"));
  cancel();
  clock.advance(100);
  assert.equal(clock.pendingTimers, 0);
});

test("a wall clock jump and a suspend leave the monotonic clock alone", () => {
  const clock = createFakeClock({ startMs: 0 });
  const before = clock.monotonicMs();
  clock.schedule(10, () => assert.fail("called"));
  clock.jumpWall(-3_600_000);
  clock.suspend(7_200_000);
  assert.equal(clock.nowMs(), 3_600_000);
  assert.equal(clock.monotonicMs(), before);
});

test("pass lets a loop of delays run through", async () => {
  const clock = createFakeClock();
  const { signal } = new AbortController();
  let rounds = 0;
  const loop = async () => {
    while (rounds < 3) {
      await delay(clock, 100, signal);
      rounds += 1;
    }
  };
  const done = loop();
  await clock.pass(250);
  assert.equal(rounds, 2);
  await clock.pass(50);
  await done;
  assert.equal(rounds, 3);
});
