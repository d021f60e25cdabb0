import assert from "node:assert/strict";
import { test } from "node:test";
import { callerAt } from "../../../src/access/caller.ts";
import { type AccessRequest, decideRequest, type RefusedDecision } from "../../../src/access/decision.ts";
import type { AllowConfig } from "../../../src/config/config.ts";
import { parseCryptoKeyName } from "../../../src/routing/resource-name.ts";
import { createRouter } from "../../../src/routing/router.ts";

interface Rule {
  readonly name: string;
  readonly match: string;
  readonly allow: readonly AllowConfig[] | undefined;
}

const decryptOnly: Rule = {
  name: "team-a",
  match: "projects/team-a-*/locations/us/keyRings/*/cryptoKeys/*",
  allow: [{ callers: ["team-a"], operations: ["decrypt"] }],
};
const rest: Rule = { name: "rest", match: "projects/team-*/locations/*/keyRings/*/cryptoKeys/*", allow: undefined };
const router = createRouter([decryptOnly, rest]);

function requestFor(key: string, change: Partial<AccessRequest> = {}): AccessRequest {
  return {
    key: parseCryptoKeyName(key),
    caller: callerAt("unix:///run/a.sock", "team-a"),
    operation: "decrypt",
    listenerIsLocal: true,
    ...change,
  };
}

function refusal(request: AccessRequest): RefusedDecision<Rule> {
  const decision = decideRequest(router, request);
  return decision.allowed ? assert.fail("allowed") : decision;
}

const KEY_A = "projects/team-a-x/locations/us/keyRings/r/cryptoKeys/k";

test("what a rule allows goes on with that rule", () => {
  const decision = decideRequest(router, requestFor(KEY_A));
  assert.equal(decision.allowed, true);
  assert.equal(decision.rule, decryptOnly);
  assert.equal(decision.reason, "allow[0] of the rule lets caller team-a decrypt");
  assert.deepEqual(
    decision.trail().map(({ rule }) => rule),
    ["team-a"],
  );
});

test("the first rule decides: a later one that would allow is not asked", () => {
  const { rule, error } = refusal(requestFor(KEY_A, { operation: "encrypt" }));
  assert.equal(rule, decryptOnly);
  assert.equal(error.code, "caller_not_allowed");
  assert.equal(error.detail.rule, "team-a");
  assert.equal(
    error.message,
    [
      "the rule does not let caller team-a encrypt",
      `key: ${KEY_A}`,
      "rule: team-a",
      "to do: add encrypt to the operations in allow of rule team-a",
    ].join("\n"),
  );
});

test("a key that no rule matches is refused, and the nearest rule named without its pattern", () => {
  const key = "projects/other/locations/us/keyRings/r/cryptoKeys/k";
  assert.equal(refusal(requestFor(key)).error.code, "rule_not_found");
  assert.match(refusal(requestFor(key)).error.message, /to do: add a rule whose match fits it/);
  const only = createRouter([decryptOnly]);
  const near = decideRequest(only, requestFor("projects/team-a-x/locations/eu/keyRings/r/cryptoKeys/k"));
  assert.ok(!near.allowed);
  assert.equal(near.rule, undefined);
  assert.match(near.error.message, /widen the location in match of rule team-a, the nearest, or add a rule/);
  assert.doesNotMatch(near.error.message, /team-a-\*/);
});

test("without rules everything is refused", () => {
  const decision = decideRequest(createRouter<Rule>([]), requestFor(KEY_A));
  assert.ok(!decision.allowed);
  assert.equal(decision.error.code, "rule_not_found");
  assert.deepEqual(decision.trail(), []);
});

test("a rule without allow serves no one who comes from another machine", () => {
  const key = "projects/team-b/locations/us/keyRings/r/cryptoKeys/k";
  assert.equal(decideRequest(router, requestFor(key)).allowed, true);
  assert.equal(refusal(requestFor(key, { listenerIsLocal: false })).error.code, "caller_not_allowed");
});
