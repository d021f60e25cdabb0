import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { abortReason, createDeadline, delay, duringStage, untilAborted } from "../../../src/core/deadline.ts";
import { KeyServiceError } from "../../../src/core/errors.ts";
import { createFakeClock } from "../../fakes/clock.ts";

describe("a deadline", () => {
  test("fires when its time is over, and says so", () => {
    const clock = createFakeClock();
    using deadline = createDeadline(clock, 100, "too slow");
    clock.advance(99);
    assert.equal(deadline.signal.aborted, false);
    clock.advance(1);
    assert.equal(abortReason(deadline.signal).code, "deadline_exceeded");
  });

  test("passes on why the outer signal fired", () => {
    const clock = createFakeClock();
    using outer = createDeadline(clock, 50, "outer");
    using inner = createDeadline(clock, 100, "inner", outer.signal);
    clock.advance(50);
    assert.equal(abortReason(inner.signal).message, "outer");
  });

  test("has fired at once where the outer signal has", () => {
    using deadline = createDeadline(createFakeClock(), 100, "inner", AbortSignal.abort());
    assert.equal(abortReason(deadline.signal).code, "cancelled");
  });

  test("leaves no timer behind when it is disposed of", () => {
    const clock = createFakeClock();
    createDeadline(clock, 100, "x")[Symbol.dispose]();
    assert.equal(clock.pendingTimers, 0);
  });
});

describe("waiting", () => {
  test("ends with the signal's reason, and leaves no timer behind", async () => {
    const clock = createFakeClock();
    const caller = new AbortController();
    const waiting = delay(clock, 1_000, caller.signal);
    caller.abort(new KeyServiceError("cancelled", { problem: "gone" }));
    await assert.rejects(waiting, { message: "gone" });
    assert.equal(clock.pendingTimers, 0);
  });

  test("gives up work without failing it for others", async () => {
    const work = Promise.withResolvers<string>();
    const caller = new AbortController();
    const impatient = untilAborted(work.promise, caller.signal);
    const patient = untilAborted(work.promise, new AbortController().signal);
    caller.abort();
    await assert.rejects(impatient, { code: "cancelled" });
    work.resolve("done");
    assert.equal(await patient, "done");
  });

  test("adds the stage to a passed deadline and to nothing else", () => {
    const late = new KeyServiceError("deadline_exceeded", { problem: "too slow" });
    assert.match(duringStage(late, "asking").message, /too slow \(asking\)/);
    const other = new KeyServiceError("kms_throttled", { problem: "no" });
    assert.equal(duringStage(other, "asking"), other);
  });
});
