import type { AllowConfig, Operation, RuleConfig } from "../config/config.ts";
import { type Caller, describeCaller } from "./caller.ts";

/** What the policy needs of a rule. */
export type PolicyRule = Pick<RuleConfig, "name" | "allow">;

export interface PolicyQuestion {
  readonly rule: PolicyRule;
  readonly caller: Caller;
  readonly operation: Operation;
  /** Whether the listener can only be reached from this machine. */
  readonly listenerIsLocal: boolean;
}

export type PolicyAnswer =
  | {
      readonly allowed: true;
      /** Why, in words for `explain` and the log. */
      readonly reason: string;
    }
  | {
      readonly allowed: false;
      readonly reason: string;
      /** What an operator can do, should the caller be meant to have access. */
      readonly remedy: string;
    };

/** Whether a rule lets a caller do something. Pure; what nothing allows is refused. */
export function decide(question: PolicyQuestion): PolicyAnswer {
  const { rule } = question;
  return rule.allow === undefined ? decideByListener(question) : decideByAllow(question, rule.allow);
}

function decideByListener({ rule, listenerIsLocal }: PolicyQuestion): PolicyAnswer {
  if (listenerIsLocal) return { allowed: true, reason: "the rule has no allow, and the listener is local" };
  return {
    allowed: false,
    reason: "the rule has no allow, so it serves local listeners only",
    remedy: `give rule ${rule.name} an allow that names its callers`,
  };
}

function decideByAllow(question: PolicyQuestion, allow: readonly AllowConfig[]): PolicyAnswer {
  const { rule, caller, operation } = question;
  const ofCaller = allow.filter((entry) => appliesTo(entry, caller));
  const index = allow.findIndex((entry) => ofCaller.includes(entry) && entry.operations.includes(operation));
  if (index !== -1)
    return { allowed: true, reason: `allow[${index}] of the rule lets ${describeCaller(caller)} ${operation}` };
  if (ofCaller.length > 0) {
    return {
      allowed: false,
      reason: `the rule does not let ${describeCaller(caller)} ${operation}`,
      remedy: `add ${operation} to the operations in allow of rule ${rule.name}`,
    };
  }
  return {
    allowed: false,
    reason: `no allow of the rule is for ${describeCaller(caller)}`,
    remedy: remedyFor(question),
  };
}

function appliesTo(entry: AllowConfig, caller: Caller): boolean {
  if (entry.callers === undefined) return true;
  return caller.names.some((name) => entry.callers?.includes(name));
}

function remedyFor({ rule, caller }: PolicyQuestion): string {
  const [name] = caller.names;
  if (name !== undefined) return `add ${name} to the callers in allow of rule ${rule.name}`;
  return `come by a listener whose caller rule ${rule.name} allows, or give this one a caller`;
}
