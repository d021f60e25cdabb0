import assert from "node:assert/strict";
import { test } from "node:test";
import { recordMatches } from "../../../src/audit/filter.ts";

test("who is refused before rule and policy are asked is among the refused as well", () => {
  const isRefused = (fields: Readonly<Record<string, unknown>>) => recordMatches(fields, { outcome: "refused" });
  assert.ok(isRefused({ event: "decision", decision: "refused", code: "caller_not_allowed" }));
  assert.ok(isRefused({ event: "outcome", outcome: "caller_unauthenticated" }));
  // Its decision stands for it.
  assert.ok(!isRefused({ event: "outcome", outcome: "caller_not_allowed" }));
  assert.ok(!isRefused({ event: "outcome", outcome: "ok" }));
});
