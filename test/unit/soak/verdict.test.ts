import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { plot } from "../../soak/report.ts";
import { findProblems, findTrends, leastSquares, type Sample } from "../../soak/verdict.ts";

/** Ten minutes, a sample each ten seconds; heap as `heapMiBAt` says of the minutes. */
function samplesWith(heapMiBAt: (minutes: number) => number): readonly Sample[] {
  return Array.from({ length: 60 }, (_, index) => ({
    seconds: index * 10,
    calls: index * 1000,
    rssMiB: 200,
    heapMiB: heapMiBAt(index / 6),
    descriptors: 30,
    eventLoopP99Ms: 1,
  }));
}

describe("the soak's verdict", () => {
  test("finds the slope of the line that fits best", () => {
    assert.equal(
      leastSquares([
        [0, 1],
        [1, 3],
        [2, 5],
      ]),
      2,
    );
  });

  test("lets a warm-up be, however steep", () => {
    const warming = samplesWith((minutes) => Math.min(minutes, 2) * 50);
    assert.deepEqual(findProblems(findTrends(warming), [], 0), []);
  });

  test("tells of a leak that a single look would not see", () => {
    const leaking = samplesWith((minutes) => 40 + minutes + (Math.floor(minutes * 6) % 2) * 3);
    const [heap] = findTrends(leaking).filter(({ measure }) => measure === "heapMiB");
    assert.ok(Math.abs((heap?.perMinute ?? 0) - 1) < 0.05, String(heap?.perMinute));
    assert.match(findProblems(findTrends(leaking), [], 0).join(), /^heapMiB grew by 6\.\d, more than 4$/);
  });

  test("tells of wrong outcomes, of a server that did not end well, and of a run that says nothing", () => {
    const flat = findTrends(samplesWith(() => 40));
    assert.deepEqual(findProblems(flat, ["wrong answer: good call of shop: OK"], 0), [
      "wrong answer: good call of shop: OK",
    ]);
    assert.match(findProblems(flat, [], undefined).join(), /the server ended with a signal/);
    assert.match(findProblems(findTrends([]), [], 0).join(), /too short/);
  });

  test("is shown in bars from the lowest value to the highest", () => {
    assert.equal(plot([0, 7, 3.5]), "▁█▅");
    assert.equal(plot([5, 5]), "▁▁");
  });
});
