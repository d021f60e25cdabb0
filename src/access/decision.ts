import type { Operation } from "../config/config.ts";
import { KeyServiceError } from "../core/errors.ts";
import { type CryptoKeyName, KEY_NAME_FORM } from "../routing/resource-name.ts";
import type { RoutedRule, Router, TrailStep } from "../routing/router.ts";
import type { Caller } from "./caller.ts";
import { decide, type PolicyRule } from "./policy.ts";

export interface AccessRequest {
  readonly key: CryptoKeyName;
  readonly caller: Caller;
  readonly operation: Operation;
  /** Whether the listener can only be reached from this machine. */
  readonly listenerIsLocal: boolean;
}

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
  /** Undefined where none matches. */
  readonly rule: R | undefined;
  /** `rule_not_found` or `caller_not_allowed`. */
  readonly error: KeyServiceError;
}

/** The one place where it is decided whether a request goes on; the server and `explain` both ask here. */
export function decideRequest<R extends RoutedRule & PolicyRule>(
  router: Router<R>,
  request: AccessRequest,
): Decision<R> {
  const trail = () => router.trace(request.key);
  const rule = router.route(request.key);
  if (rule === undefined) return refuseUnrouted(request, trail);
  const answer = decide({ ...request, rule });
  const { reason } = answer;
  if (answer.allowed) return { allowed: true, request, reason, trail, rule };
  const error = new KeyServiceError("caller_not_allowed", {
    problem: reason,
    remedy: answer.remedy,
    rule: rule.name,
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
