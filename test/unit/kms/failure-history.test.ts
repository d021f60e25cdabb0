import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { createFailureHistory } from "../../../src/kms/failure-history.ts";
import { createFakeClock } from "../../fakes/clock.ts";

describe("a failure history", () => {
  test("has enough of five failures in a row", () => {
    const history = createFailureHistory(createFakeClock());
    assert.deepEqual(
      Array.from({ length: 5 }, () => history.failed()),
      [false, false, false, false, true],
    );
  });

  test("has enough when half of the last twenty attempts failed, though never two in a row", () => {
    const history = createFailureHistory(createFakeClock());
    let attempts = 0;
    for (let tooMuch = false; !tooMuch; attempts += 2) {
      tooMuch = history.failed();
      history.succeeded();
    }
    assert.equal(attempts, 20);
  });

  test("bears one failure in three for ever", () => {
    const history = createFailureHistory(createFakeClock());
    for (let count = 0; count < 1_000; count += 1) {
      assert.equal(history.failed(), false);
      history.succeeded();
      history.succeeded();
    }
  });

  test("forgets after thirty quiet seconds", () => {
    const clock = createFakeClock();
    const history = createFailureHistory(clock);
    for (let count = 0; count < 4; count += 1) history.failed();
    clock.advance(30_001);
    assert.equal(history.failed(), false);
  });

  test("is what a list of the last twenty attempts says, whatever happened", () => {
    const attempts = fc.array(fc.boolean(), { maxLength: 200 });
    fc.assert(fc.property(attempts, (failures) => assert.deepEqual(answers(failures), answersOfAList(failures))));
  });

  test("counts connections that broke only where the attempt began after the last failure was seen", () => {
    const clock = createFakeClock();
    const history = createFailureHistory(clock);
    const startedAtMs = clock.monotonicMs();
    clock.advance(1);
    for (let count = 0; count < 100; count += 1) assert.equal(history.connectionBroke(startedAtMs), false);
    const outcomes = Array.from({ length: 4 }, () => {
      clock.advance(2);
      return history.connectionBroke(clock.monotonicMs() - 1);
    });
    assert.deepEqual(outcomes, [false, false, false, true]);
  });
});

/** What it says of each failure; true stands for a failure. */
function answers(attempts: readonly boolean[]): readonly boolean[] {
  const history = createFailureHistory(createFakeClock());
  return attempts.flatMap((failed) => {
    if (failed) return [history.failed()];
    history.succeeded();
    return [];
  });
}

function answersOfAList(attempts: readonly boolean[]): readonly boolean[] {
  return attempts.flatMap((failed, index) => {
    if (!failed) return [];
    // It begins with the first failure: successes before it could only make it milder.
    const seen = attempts.slice(Math.max(attempts.indexOf(true), index - 19), index + 1);
    const recent = seen.slice(-5);
    return [(recent.length === 5 && recent.every(Boolean)) || seen.filter(Boolean).length >= 10];
  });
}
