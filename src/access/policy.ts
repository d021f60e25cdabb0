import type { Operation, PolicyEntryConfig, RuleConfig } from "../config/config.ts";
import { matches, type Pattern, parsePattern } from "../routing/pattern.ts";
import type { CryptoKeyName } from "../routing/resource-name.ts";
import { type Caller, describeCaller } from "./caller.ts";

/** What the policy needs of a rule. */
export type PolicyRule = Pick<RuleConfig, "name" | "allow" | "deny">;

export interface PolicyQuestion {
  readonly key: CryptoKeyName;
  readonly caller: Caller;
  readonly operation: Operation;
  /** Whether the listener can only be reached from this machine. */
  readonly listenerIsLocal: boolean;
}

export type PolicyAnswer = PolicyYes | PolicyNo;

export interface PolicyYes {
  readonly allowed: true;
  /** Why, in words for `explain` and the log. */
  readonly reason: string;
}

export interface PolicyNo {
  readonly allowed: false;
  readonly reason: string;
  /** What an operator can do, should the caller be meant to have access. */
  readonly remedy: string;
}

/** Whether a rule lets a caller do something. What nothing allows is refused, and `deny` goes before `allow`. */
export type Policy = (question: PolicyQuestion) => PolicyAnswer;

/** The policy of one rule, its patterns compiled. @throws PatternError where a `match` is not valid */
export function createPolicy({ name, allow, deny }: PolicyRule): Policy {
  const place = `rule ${name}`;
  const allowed = allow?.map(compile);
  const findDenial = createDenial(deny, "the rule", place);
  return (question) =>
    findDenial(question) ??
    (allowed === undefined ? decideByListener(question, place) : decideByAllow(question, allowed, place));
}

/**
 * What a list of `deny` says: undefined where none of its entries fits.
 *
 * @param owner whose list it is, for the reason: `the rule`
 * @param place the same for the remedy: `rule team-a`; undefined: it stands at the top of the config
 */
export function createDenial(
  deny: readonly PolicyEntryConfig[],
  owner: string,
  place: string | undefined,
): (question: PolicyQuestion) => PolicyNo | undefined {
  const entries = deny.map(compile);
  const of = place === undefined ? "" : ` of ${place}`;
  return (question) => {
    const index = entries.findIndex((entry) => fits(entry, question));
    if (index === -1) return undefined;
    return {
      allowed: false,
      reason: `deny[${index}] of ${owner} forbids ${describeCaller(question.caller)} to ${question.operation}`,
      remedy: `if that is not meant, change deny[${index}]${of} in the config of sops-keyd`,
    };
  };
}

interface Entry {
  readonly callers: ReadonlySet<string> | undefined;
  readonly operations: readonly Operation[];
  readonly pattern: Pattern | undefined;
}

function compile({ callers, operations, match }: PolicyEntryConfig): Entry {
  return {
    callers: callers === undefined ? undefined : new Set(callers),
    operations,
    pattern: match === undefined ? undefined : parsePattern(match),
  };
}

function fits(entry: Entry, { caller, operation, key }: PolicyQuestion): boolean {
  return isFor(entry, caller) && entry.operations.includes(operation) && takes(entry, key);
}

/** A caller is who any of its names says. */
function isFor({ callers }: Entry, { names }: Caller): boolean {
  return callers === undefined || names.some((name) => callers.has(name));
}

function takes({ pattern }: Entry, key: CryptoKeyName): boolean {
  return pattern === undefined || matches(pattern, key);
}

function decideByListener({ listenerIsLocal }: PolicyQuestion, place: string): PolicyAnswer {
  if (listenerIsLocal) return { allowed: true, reason: "the rule has no allow, and the listener is local" };
  return {
    allowed: false,
    reason: "the rule has no allow, so it serves local listeners only",
    remedy: `give ${place} an allow that names its callers`,
  };
}

function decideByAllow(question: PolicyQuestion, allow: readonly Entry[], place: string): PolicyAnswer {
  const index = allow.findIndex((entry) => fits(entry, question));
  if (index === -1) return explainRefusal(question, allow, place);
  const { caller, operation } = question;
  return { allowed: true, reason: `allow[${index}] of the rule lets ${describeCaller(caller)} ${operation}` };
}

function explainRefusal({ caller, operation }: PolicyQuestion, allow: readonly Entry[], place: string): PolicyNo {
  const ofCaller = allow.filter((entry) => isFor(entry, caller));
  const who = describeCaller(caller);
  if (ofCaller.some(({ operations }) => operations.includes(operation))) {
    return {
      allowed: false,
      reason: `the rule lets ${who} ${operation} with other keys only`,
      remedy: `widen match in allow of ${place}, or add an entry for this key`,
    };
  }
  if (ofCaller.length > 0) {
    return {
      allowed: false,
      reason: `the rule does not let ${who} ${operation}`,
      remedy: `add ${operation} to the operations in allow of ${place}`,
    };
  }
  return { allowed: false, reason: `no allow of the rule is for ${who}`, remedy: remedyForStranger(caller, place) };
}

function remedyForStranger({ names: [name], proofs }: Caller, place: string): string {
  if (name !== undefined) return `add ${name} to the callers in allow of ${place}`;
  if (proofs.some(({ kind }) => kind !== "listener")) {
    return `give what is in brackets a name under callers in the config, and add that to allow of ${place}`;
  }
  return `come by a listener whose caller ${place} allows, or show a certificate or token of a caller that it allows`;
}
