import assert from "node:assert/strict";
import { test } from "node:test";
import { callerAt } from "../../../src/access/caller.ts";
import { type AccessRequest, createDecide, type RefusedDecision } from "../../../src/access/decision.ts";
import type { PolicyEntryConfig } from "../../../src/config/config.ts";
import { parseCryptoKeyName } from "../../../src/routing/resource-name.ts";

interface Rule {
  readonly name: string;
  readonly match: string;
  readonly allow: readonly PolicyEntryConfig[] | undefined;
  readonly deny: readonly PolicyEntryConfig[];
}

const decryptOnly: Rule = {
  name: "team-a",
  match: "projects/team-a-*/locations/us/keyRings/*/cryptoKeys/*",
  allow: [{ callers: ["team-a"], operations: ["decrypt"], match: undefined }],
  deny: [],
};
const rest: Rule = {
  name: "rest",
  match: "projects/team-*/locations/*/keyRings/*/cryptoKeys/*",
  allow: undefined,
  deny: [],
};
const decide = createDecide({ rules: [decryptOnly, rest], deny: [] });

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
  const decision = decide(request);
  return decision.allowed ? assert.fail("allowed") : decision;
}

const KEY_A = "projects/team-a-x/locations/us/keyRings/r/cryptoKeys/k";

test("what a rule allows goes on with that rule", () => {
  const decision = decide(requestFor(KEY_A));
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
  const only = createDecide({ rules: [decryptOnly], deny: [] });
  const near = only(requestFor("projects/team-a-x/locations/eu/keyRings/r/cryptoKeys/k"));
  assert.ok(!near.allowed);
  assert.equal(near.rule, undefined);
  assert.match(near.error.message, /widen the location in match of rule team-a, the nearest, or add a rule/);
  assert.doesNotMatch(near.error.message, /team-a-\*/);
});

test("without rules everything is refused", () => {
  const decision = createDecide<Rule>({ rules: [], deny: [] })(requestFor(KEY_A));
  assert.ok(!decision.allowed);
  assert.equal(decision.error.code, "rule_not_found");
  assert.deepEqual(decision.trail(), []);
});

test("a rule without allow serves no one who comes from another machine", () => {
  const key = "projects/team-b/locations/us/keyRings/r/cryptoKeys/k";
  assert.equal(decide(requestFor(key)).allowed, true);
  assert.equal(refusal(requestFor(key, { listenerIsLocal: false })).error.code, "caller_not_allowed");
});

test("a deny of the config refuses before any rule is asked, also where none matches", () => {
  const deny = [{ callers: ["team-a"], operations: ["decrypt" as const], match: undefined }];
  const decideWithDeny = createDecide({ rules: [decryptOnly], deny });
  for (const key of [KEY_A, "projects/other/locations/us/keyRings/r/cryptoKeys/k"]) {
    const decision = decideWithDeny(requestFor(key));
    assert.ok(!decision.allowed);
    assert.equal(decision.rule, undefined);
    assert.deepEqual(decision.trail(), []);
    assert.equal(
      decision.error.message,
      [
        "deny[0] of the config forbids caller team-a to decrypt",
        `key: ${key}`,
        "to do: if that is not meant, change deny[0] in the config of sops-keyd",
      ].join("\n"),
    );
  }
});

test("a deny of the rule goes before its allow, and does not make a later rule be asked", () => {
  const deny = [{ callers: undefined, operations: ["decrypt" as const], match: KEY_A }];
  const decideWithDeny = createDecide({ rules: [{ ...decryptOnly, deny }, rest], deny: [] });
  const decision = decideWithDeny(requestFor(KEY_A));
  assert.equal(decision.allowed, false);
  assert.equal(decision.rule?.name, "team-a");
  assert.equal(decision.reason, "deny[0] of the rule forbids caller team-a to decrypt");
  assert.equal(decideWithDeny(requestFor(`${KEY_A}2`)).allowed, true);
});
