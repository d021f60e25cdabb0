import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { createRetryBudget } from "../../../src/kms/retry-budget.ts";

/** Calls of which each asks for `wanted` retries; how many requests were made, after each call. */
function requestsMade(wanted: readonly number[]): readonly number[] {
  const budget = createRetryBudget();
  let requests = 0;
  return wanted.map((retries) => {
    budget.deposit();
    requests += 1;
    for (let count = 0; count < retries && budget.withdraw(); count += 1) requests += 1;
    return requests;
  });
}

describe("the retry budget", () => {
  const anyCalls = fc.array(fc.nat(2), { minLength: 1, maxLength: 2_000 });

  test("never lets requests be more than twice the calls", () => {
    fc.assert(
      fc.property(anyCalls, (wanted) => {
        for (const [index, requests] of requestsMade(wanted).entries()) assert.ok(requests <= 2 * (index + 1));
      }),
    );
  });

  test("lets them be 1.2 times the calls at most, once there were 320, whatever the trouble", () => {
    fc.assert(
      fc.property(anyCalls, (wanted) => {
        for (const [index, requests] of requestsMade(wanted).entries()) {
          const calls = index + 1;
          if (calls >= 320) assert.ok(requests <= 1.2 * calls + 1e-9, `${requests} requests for ${calls} calls`);
        }
      }),
    );
  });

  test("uses all of that in steady trouble: 12,000 requests for 10,000 calls that always fail", () => {
    assert.equal(requestsMade(Array.from({ length: 10_000 }, () => 2)).at(-1), 12_000);
  });

  test("has a retry for the first call", () => assert.deepEqual(requestsMade([2]), [2]));

  test("has enough in store after a good while for all connections of a rule to break at once", () => {
    const quiet = Array.from({ length: 1_000 }, () => 0);
    assert.equal(requestsMade([...quiet, ...Array.from({ length: 64 }, () => 1)]).at(-1), 1_000 + 128);
  });

  test("stores no more than that", () => {
    const quiet = Array.from({ length: 100_000 }, () => 0);
    assert.equal(requestsMade([...quiet, 1_000]).at(-1), 100_001 + 64);
  });
});
