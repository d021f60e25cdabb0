import { toKeyServiceError } from "../core/errors.ts";
import type { CallerLimits, LimitedRule } from "./caller-limits.ts";
import type { AccessRequest, Decide } from "./decision.ts";

/** That a call may go on. Disposed of when the call has ended, it gives back what it took of its caller's limits. */
export interface Admission<R> extends Disposable {
  /** What the request leads to. */
  readonly rule: R;
}

/**
 * Lets a request in, or refuses it: by the policy, then by the limits of its caller. Nothing is asked of anybody
 * before that.
 *
 * @throws KeyServiceError `rule_not_found`, `caller_not_allowed`, `caller_limit_exceeded`
 */
export type Admit<R> = (request: AccessRequest, signal: AbortSignal) => Promise<Admission<R>>;

export function createAdmit<R extends LimitedRule>(decide: Decide<R>, limits: CallerLimits): Admit<R> {
  return async (request) => {
    const decision = decide(request);
    if (!decision.allowed) throw decision.error;
    const { rule } = decision;
    const place = takePlace(limits, request, rule);
    return { rule, [Symbol.dispose]: () => place[Symbol.dispose]() };
  };
}

function takePlace(limits: CallerLimits, { caller, key }: AccessRequest, rule: LimitedRule): Disposable {
  try {
    return limits.enter(caller, rule);
  } catch (thrown) {
    throw toKeyServiceError(thrown).within({ key, rule: rule.name });
  }
}
