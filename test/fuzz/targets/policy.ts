import assert from "node:assert/strict";
import { createDecide } from "../../../src/access/decision.ts";
import type { PolicyEntryConfig } from "../../../src/config/policy.ts";
import { PatternError } from "../../../src/routing/pattern.ts";
import { type CryptoKeyName, parseCryptoKeyName } from "../../../src/routing/resource-name.ts";
import {
  type EntryDocument,
  evaluate,
  type Operation,
  type RuleDocument,
} from "../../property/access/policy-reference.ts";
import { expectRefusal, kindOf } from "../harness/expect.ts";
import type { Target } from "../harness/target.ts";

const KEY = "projects/app/locations/global/keyRings/ring/cryptoKeys/key";

/**
 * A question and a policy, a word each:
 *
 *     encrypt local team-a,team-b projects/…
 *     deny|allow CALLERS|any OPERATIONS|any [MATCH]     of the rule before; at the top: of the config
 *     rule MATCH [closed]                               closed: it has an allow, be it empty
 */
export const policy: Target = {
  name: "policy",
  dictionary: [
    "\n",
    " ",
    ",",
    "any",
    "encrypt",
    "decrypt",
    "local",
    "remote",
    "team-a",
    "team-b",
    "__proto__",
    "rule",
    "allow",
    "deny",
    "closed",
    "*",
    KEY,
    KEY.replaceAll(/app|ring|key$/g, "*"),
    "projects/*/locations/*/keyRings/*/cryptoKeys/*",
    "app-*",
  ],
  maxBytes: 1500,
  open: () => ({
    run(input) {
      const [question = "", ...lines] = input.toString("utf8").split("\n");
      const asked = readQuestion(question);
      return typeof asked === "string" ? asked : decide(asked, readPolicy(lines.slice(0, 40)));
    },
  }),
};

interface Asked {
  readonly key: CryptoKeyName;
  readonly names: readonly string[];
  readonly operation: Operation;
  readonly isLocal: boolean;
}

interface ReadPolicy {
  readonly deny: EntryDocument[];
  readonly rules: (RuleDocument & { allow?: EntryDocument[]; deny: EntryDocument[] })[];
}

function readQuestion(line: string): Asked | string {
  const [operation, place, names = "", key = ""] = line.split(" ");
  try {
    return {
      operation: operation === "encrypt" ? operation : "decrypt",
      isLocal: place === "local",
      names: names.split(",").filter((name) => name !== ""),
      key: parseCryptoKeyName(key),
    };
  } catch (thrown) {
    expectRefusal(thrown, ["key_name_invalid"]);
    return "no key";
  }
}

function readPolicy(lines: readonly string[]): ReadPolicy {
  const read: ReadPolicy = { deny: [], rules: [] };
  for (const line of lines) {
    const [word, ...words] = line.split(" ");
    const rule = read.rules.at(-1);
    if (word === "rule") read.rules.push(readRule(words, read.rules.length));
    else if (word === "deny") (rule ?? read).deny.push(readEntry(words));
    else if (word === "allow" && rule !== undefined) rule.allow = [...(rule.allow ?? []), readEntry(words)];
  }
  return read;
}

function readRule([match = "", closed]: readonly string[], index: number): ReadPolicy["rules"][number] {
  return { name: `rule-${index}`, match, deny: [], ...(closed === "closed" ? { allow: [] } : {}) };
}

function readEntry([callers = "", operations = "", match]: readonly string[]): EntryDocument {
  return {
    ...(callers === "any" ? {} : { callers: callers.split(",") }),
    ...(operations === "any" ? {} : { operations: operations.split(",").filter(isOperation) }),
    ...(match === undefined ? {} : { match }),
  };
}

function isOperation(word: string): word is Operation {
  return word === "encrypt" || word === "decrypt";
}

function decide(asked: Asked, read: ReadPolicy): string {
  const rules = read.rules.map(({ name, match, allow, deny }) => ({
    name,
    match,
    allow: allow?.map(toConfig),
    deny: deny.map(toConfig),
  }));
  try {
    const question = {
      key: asked.key,
      operation: asked.operation,
      listenerIsLocal: asked.isLocal,
      caller: { listener: "tcp://127.0.0.1:1", names: asked.names, proofs: [] },
    };
    const decision = createDecide({ rules, deny: read.deny.map(toConfig) })(question);
    assert.equal(decision.allowed ? decision.rule.name : undefined, evaluate(read, asked));
    if (!decision.allowed) expectRefusal(decision.error, ["rule_not_found", "caller_not_allowed"]);
    // Without whom it is about: names are endless.
    const reason = kindOf(decision.reason.split(" ").slice(0, 5).join(" "));
    return `${decision.allowed} ${reason} ${Math.min(3, decision.trail().length)}`;
  } catch (thrown) {
    if (!(thrown instanceof PatternError)) throw thrown;
    return kindOf(thrown.message);
  }
}

function toConfig({ callers, operations, match }: EntryDocument): PolicyEntryConfig {
  return { callers, operations: operations ?? ["encrypt", "decrypt"], match };
}
