import type { Config } from "../config/config.ts";
import { KeyServiceError } from "../core/errors.ts";
import { KEY_NAME_FORM } from "../routing/resource-name.ts";
import { createRouter, type RoutedRule, type TrailStep } from "../routing/router.ts";
import { createDenial, createPolicy, type PolicyNo, type PolicyQuestion, type PolicyRule } from "./policy.ts";

export type AccessRequest = PolicyQuestion;

/** What becomes of a request, and why. */
export type Decision<R> = AllowedDecision<R> | RefusedDecision<R>;

interface DecisionRecord {
  readonly request: AccessRequest;
  /** Why, in one line. */
  readonly reason: string;
  /** The rules that were tried, and why each did not match. Worked out when asked for: no request pays for it. */
  readonly trail: () => readonly TrailStep[];
}

export interface AllowedDecision<R> extends DecisionRecord {
  readonly allowed: true;
  readonly rule: R;
}

export interface RefusedDecision<R> extends DecisionRecord {
  readonly allowed: false;
  /** Undefined where none matches, or was asked. */
  readonly rule: R | undefined;
  /** `rule_not_found` or `caller_not_allowed`. */
  readonly error: KeyServiceError;
}

/**
 * Decides requests by a config: its `deny`, then the first rule that matches, then that rule's `deny` and `allow`.
 * The one place where it is decided whether a request goes on; the server and `explain` both ask here. Pure.
 */
export type Decide<R> = (request: AccessRequest) => Decision<R>;

/** @throws PatternError where a `match` is not valid; a loaded config holds none of these */
export function createDecide<R extends RoutedRule & PolicyRule>({
  rules,
  deny,
}: Pick<Config, "deny"> & { readonly rules: readonly R[] }): Decide<R> {
  const findDenial = createDenial(deny, "the config", undefined);
  const router = createRouter(
    rules.map((rule) => ({ name: rule.name, match: rule.match, rule, policy: createPolicy(rule) })),
  );
  return (request) => {
    const denial = findDenial(request);
    if (denial !== undefined) return refuse<R>(request, denial, undefined, () => []);
    const trail = () => router.trace(request.key);
    const route = router.route(request.key);
    if (route === undefined) return refuseUnrouted(request, trail);
    const { rule } = route;
    const answer = route.policy(request);
    if (!answer.allowed) return refuse(request, answer, rule, trail);
    return { allowed: true, request, reason: answer.reason, trail, rule };
  };
}

function refuse<R extends PolicyRule>(
  request: AccessRequest,
  { reason, remedy }: PolicyNo,
  rule: R | undefined,
  trail: () => readonly TrailStep[],
): RefusedDecision<R> {
  const error = new KeyServiceError("caller_not_allowed", {
    problem: reason,
    remedy,
    ...(rule === undefined ? {} : { rule: rule.name }),
    key: request.key,
  });
  return { allowed: false, request, reason, trail, rule, error };
}

function refuseUnrouted(request: AccessRequest, trail: () => readonly TrailStep[]): RefusedDecision<never> {
  const reason = "no rule of the config matches this key";
  const error = new KeyServiceError("rule_not_found", {
    problem: reason,
    remedy: remedyFor(nearestStep(trail())),
    key: request.key,
  });
  return { allowed: false, request, reason, trail, rule: undefined, error };
}

// The pattern itself stays out of the message: the reader may be another tenant.
function remedyFor(nearest: TrailStep | undefined): string {
  const add = `add a rule whose match fits it (${KEY_NAME_FORM}, * for any) to the config of sops-keyd`;
  if (nearest?.mismatch === undefined) return add;
  return `widen the ${nearest.mismatch} in match of rule ${nearest.rule}, the nearest, or ${add}`;
}

/** The rule of which most fits, from the left; undefined where no rule even has the project. */
function nearestStep(trail: readonly TrailStep[]): TrailStep | undefined {
  return trail.reduce<TrailStep | undefined>(
    (nearest, step) => (step.fitting > (nearest?.fitting ?? 0) ? step : nearest),
    undefined,
  );
}
