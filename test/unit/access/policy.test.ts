import assert from "node:assert/strict";
import { test } from "node:test";
import { type Caller, callerAt } from "../../../src/access/caller.ts";
import { decide, type PolicyRule } from "../../../src/access/policy.ts";
import type { AllowConfig, Operation } from "../../../src/config/config.ts";

const BOTH: readonly Operation[] = ["encrypt", "decrypt"];
const teamA = callerAt("unix:///run/a.sock", "team-a");
const nameless = callerAt("unix:///run/b.sock", undefined);

function ruleWith(...allow: readonly AllowConfig[]): PolicyRule {
  return { name: "r", allow };
}

const open: PolicyRule = { name: "r", allow: undefined };
const onlyTeamA = ruleWith({ callers: ["team-a"], operations: ["decrypt"] });

interface Row {
  readonly what: string;
  readonly rule: PolicyRule;
  readonly caller: Caller;
  readonly operation: Operation;
  readonly listenerIsLocal?: boolean;
  readonly allowed: boolean;
}

const table: readonly Row[] = [
  { what: "no allow, local listener", rule: open, caller: nameless, operation: "encrypt", allowed: true },
  { what: "no allow, named caller", rule: open, caller: teamA, operation: "decrypt", allowed: true },
  {
    what: "no allow, open listener",
    rule: open,
    caller: teamA,
    operation: "decrypt",
    listenerIsLocal: false,
    allowed: false,
  },
  { what: "the caller and operation of an entry", rule: onlyTeamA, caller: teamA, operation: "decrypt", allowed: true },
  {
    what: "the same by an open listener",
    rule: onlyTeamA,
    caller: teamA,
    operation: "decrypt",
    listenerIsLocal: false,
    allowed: true,
  },
  { what: "another operation", rule: onlyTeamA, caller: teamA, operation: "encrypt", allowed: false },
  { what: "a caller without a name", rule: onlyTeamA, caller: nameless, operation: "decrypt", allowed: false },
  {
    what: "another caller",
    rule: onlyTeamA,
    caller: { ...teamA, names: ["team-b"] },
    operation: "decrypt",
    allowed: false,
  },
  {
    what: "a name in other letters",
    rule: onlyTeamA,
    caller: { ...teamA, names: ["Team-A"] },
    operation: "decrypt",
    allowed: false,
  },
  {
    what: "an entry for any caller",
    rule: ruleWith({ callers: undefined, operations: BOTH }),
    caller: nameless,
    operation: "encrypt",
    allowed: true,
  },
  { what: "an empty allow", rule: ruleWith(), caller: teamA, operation: "decrypt", allowed: false },
  {
    what: "an entry without operations",
    rule: ruleWith({ callers: ["team-a"], operations: [] }),
    caller: teamA,
    operation: "decrypt",
    allowed: false,
  },
  {
    what: "the second of two entries",
    rule: ruleWith({ callers: ["team-b"], operations: BOTH }, { callers: ["team-a"], operations: ["encrypt"] }),
    caller: teamA,
    operation: "encrypt",
    allowed: true,
  },
  {
    what: "the caller of one entry with the operation of another",
    rule: ruleWith({ callers: ["team-b"], operations: ["encrypt"] }, { callers: ["team-a"], operations: ["decrypt"] }),
    caller: teamA,
    operation: "encrypt",
    allowed: false,
  },
];

for (const { what, rule, caller, operation, listenerIsLocal = true, allowed } of table) {
  test(`${what}: ${allowed ? "allowed" : "refused"}`, () => {
    const answer = decide({ rule, caller, operation, listenerIsLocal });
    assert.equal(answer.allowed, allowed);
    assert.match(answer.reason, /^[a-z].*[^.]$/);
  });
}

test("a refusal says what would let this caller in", () => {
  const remedyFor = (rule: PolicyRule, caller: Caller, operation: Operation, listenerIsLocal = true) => {
    const answer = decide({ rule, caller, operation, listenerIsLocal });
    return answer.allowed ? undefined : answer.remedy;
  };
  assert.match(remedyFor(onlyTeamA, teamA, "encrypt") ?? "", /add encrypt to the operations in allow of rule r/);
  assert.match(remedyFor(ruleWith(), teamA, "encrypt") ?? "", /add team-a to the callers in allow of rule r/);
  assert.match(remedyFor(onlyTeamA, nameless, "decrypt") ?? "", /come by a listener whose caller rule r allows/);
  assert.match(remedyFor(open, nameless, "decrypt", false) ?? "", /give rule r an allow/);
});
