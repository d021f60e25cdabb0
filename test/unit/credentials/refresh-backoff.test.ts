import assert from "node:assert/strict";
import { test } from "node:test";
import { KeyServiceError } from "../../../src/core/errors.ts";
import { retryDelayMs } from "../../../src/credentials/refresh-backoff.ts";

function delayMs(
  code: "credential_unavailable" | "credential_rejected",
  count: number,
  random: number,
  valid: boolean,
) {
  const error = new KeyServiceError(code, { problem: "it failed" });
  return retryDelayMs({ error, atMonotonicMs: 0, count, random }, valid);
}

test("outages are retried with full jitter: from nothing up to a step that doubles, and never above the cap", () => {
  for (const [count, stepMs] of [
    [1, 400],
    [2, 800],
    [4, 3200],
    [10, 15_000],
    [1_000_000, 15_000],
  ] as const) {
    for (const random of [0, 0.25, 0.999]) {
      assert.equal(delayMs("credential_unavailable", count, random, true), random * stepMs);
    }
  }
});

test("with nothing to serve, no wait is above two seconds", () => {
  assert.equal(delayMs("credential_unavailable", 1, 0.5, false), 200);
  assert.equal(delayMs("credential_unavailable", 1_000_000, 0.999, false), 0.999 * 2000);
});

test("what only an operator can mend is asked for again after two and a half to five seconds, however often", () => {
  for (const valid of [true, false]) {
    for (const count of [1, 100]) {
      assert.equal(delayMs("credential_rejected", count, 0, valid), 2500);
      assert.equal(delayMs("credential_rejected", count, 0.5, valid), 3750);
    }
  }
});
