import assert from "node:assert/strict";
import { test } from "node:test";
import { type Caller, callerAt, withProof } from "../../../src/access/caller.ts";
import { createPolicy, type PolicyRule } from "../../../src/access/policy.ts";
import type { Operation, PolicyEntryConfig } from "../../../src/config/config.ts";
import { parseCryptoKeyName } from "../../../src/routing/resource-name.ts";

const KEY = parseCryptoKeyName("projects/p/locations/us/keyRings/r/cryptoKeys/k");
const THIS_KEY = "projects/p/locations/us/keyRings/*/cryptoKeys/k*";
const ANOTHER = "projects/p/locations/eu/keyRings/*/cryptoKeys/*";
const BOTH: readonly Operation[] = ["encrypt", "decrypt"];
const teamA = callerAt("unix:///run/a.sock", "team-a");
const nameless = callerAt("unix:///run/b.sock", undefined);

type Entry = Partial<PolicyEntryConfig>;

function complete({ callers, operations = BOTH, match }: Entry): PolicyEntryConfig {
  return { callers, operations, match };
}

function ruleWith(...allow: readonly Entry[]): PolicyRule {
  return { name: "r", allow: allow.map(complete), deny: [] };
}

function denying(rule: PolicyRule, ...deny: readonly Entry[]): PolicyRule {
  return { ...rule, deny: deny.map(complete) };
}

const open: PolicyRule = { name: "r", allow: undefined, deny: [] };
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
  {
    what: "an entry for this key",
    rule: ruleWith({ match: THIS_KEY }),
    caller: teamA,
    operation: "decrypt",
    allowed: true,
  },
  {
    what: "an entry for another key",
    rule: ruleWith({ match: ANOTHER }),
    caller: teamA,
    operation: "decrypt",
    allowed: false,
  },
  {
    what: "a deny for the caller that allow names",
    rule: denying(onlyTeamA, { callers: ["team-a"] }),
    caller: teamA,
    operation: "decrypt",
    allowed: false,
  },
  {
    what: "a deny for another caller",
    rule: denying(onlyTeamA, { callers: ["team-b"] }),
    caller: teamA,
    operation: "decrypt",
    allowed: true,
  },
  {
    what: "a deny for one of a caller's two names",
    rule: denying(onlyTeamA, { callers: ["team-b"] }),
    caller: { ...teamA, names: ["team-a", "team-b"] },
    operation: "decrypt",
    allowed: false,
  },
  {
    what: "a deny for the other operation",
    rule: denying(onlyTeamA, { operations: ["encrypt"] }),
    caller: teamA,
    operation: "decrypt",
    allowed: true,
  },
  {
    what: "a deny for this key",
    rule: denying(onlyTeamA, { match: THIS_KEY }),
    caller: teamA,
    operation: "decrypt",
    allowed: false,
  },
  {
    what: "a deny for another key",
    rule: denying(onlyTeamA, { match: ANOTHER }),
    caller: teamA,
    operation: "decrypt",
    allowed: true,
  },
  {
    what: "a deny beside no allow",
    rule: denying(open, { operations: ["encrypt"] }),
    caller: nameless,
    operation: "encrypt",
    allowed: false,
  },
  {
    what: "what no deny beside no allow is for",
    rule: denying(open, { operations: ["encrypt"] }),
    caller: nameless,
    operation: "decrypt",
    allowed: true,
  },
  {
    what: "a deny for a name, and a caller without one",
    rule: denying(open, { callers: ["team-a"] }),
    caller: nameless,
    operation: "decrypt",
    allowed: true,
  },
];

for (const { what, rule, caller, operation, listenerIsLocal = true, allowed } of table) {
  test(`${what}: ${allowed ? "allowed" : "refused"}`, () => {
    const answer = createPolicy(rule)({ key: KEY, caller, operation, listenerIsLocal });
    assert.equal(answer.allowed, allowed);
    assert.match(answer.reason, /^[a-z].*[^.]$/);
  });
}

test("a refusal says what would let this caller in", () => {
  const remedyFor = (rule: PolicyRule, caller: Caller, operation: Operation, listenerIsLocal = true) => {
    const answer = createPolicy(rule)({ key: KEY, caller, operation, listenerIsLocal });
    return answer.allowed ? undefined : answer.remedy;
  };
  assert.match(remedyFor(onlyTeamA, teamA, "encrypt") ?? "", /add encrypt to the operations in allow of rule r/);
  assert.match(remedyFor(ruleWith(), teamA, "encrypt") ?? "", /add team-a to the callers in allow of rule r/);
  assert.match(remedyFor(onlyTeamA, nameless, "decrypt") ?? "", /come by a listener whose caller rule r allows/);
  const known = withProof(nameless, { kind: "unix_peer", uid: 7, gid: 7, pid: 1 });
  assert.match(remedyFor(onlyTeamA, known, "decrypt") ?? "", /a name under callers in the config, and add that to/);
  const narrow = ruleWith({ callers: ["team-a"], match: ANOTHER });
  assert.match(remedyFor(narrow, teamA, "decrypt") ?? "", /widen match in allow of rule r/);
  const denied = denying(open, { callers: ["team-a"] });
  assert.match(remedyFor(denied, teamA, "decrypt") ?? "", /change deny\[0\] of rule r/);
  assert.match(remedyFor(open, nameless, "decrypt", false) ?? "", /give rule r an allow/);
});
