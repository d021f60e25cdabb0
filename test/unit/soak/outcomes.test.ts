import assert from "node:assert/strict";
import { test } from "node:test";
import { Metadata, type ServiceError, status } from "@grpc/grpc-js";
import { type Asked, createOutcomes } from "../../soak/outcomes.ts";

const GOOD: Asked = { kind: "good", rule: "shop", isTroubled: true, deadlineMs: 1_000 };

function failure(code: status): ServiceError {
  return Object.assign(new Error("no"), { code, details: "why", metadata: new Metadata() });
}

test("a soak takes faults that are told as they must be, and counts them", () => {
  const outcomes = createOutcomes();
  outcomes.answered(GOOD, true, 5);
  outcomes.failed(GOOD, failure(status.UNAVAILABLE), 1_000);
  outcomes.failed({ ...GOOD, kind: "bad" }, failure(status.INVALID_ARGUMENT), 5);
  assert.deepEqual(outcomes.breaches, []);
  assert.deepEqual(outcomes.counts, { OK: 1, UNAVAILABLE: 1, INVALID_ARGUMENT: 1 });
  assert.equal(outcomes.calls, 3);
});

test("a soak fails for an answer that is wrong, late, or of a kind that must not be", () => {
  const outcomes = createOutcomes();
  outcomes.answered(GOOD, false, 5);
  outcomes.answered(GOOD, true, 60_000);
  outcomes.answered({ ...GOOD, kind: "bad" }, true, 5);
  outcomes.failed(GOOD, failure(status.INTERNAL), 5);
  outcomes.failed({ ...GOOD, isTroubled: false }, failure(status.UNAVAILABLE), 5);
  assert.deepEqual(
    outcomes.breaches.map((breach) => breach.split(":")[0]),
    ["wrong answer", "late", "bad request answered", "unforeseen status", "the other rule failed"],
  );
});
