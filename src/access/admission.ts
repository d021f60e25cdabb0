import { toKeyServiceError } from "../core/errors.ts";
import { type Approve, type ApprovedBy, type ApprovedRule, approvalFor } from "./approval.ts";
import type { CallerLimits, LimitedRule } from "./caller-limits.ts";
import type { AccessRequest, Decide } from "./decision.ts";

/** That a call may go on. Disposed of when the call has ended, it gives back what it took of its caller's limits. */
export interface Admission<R> extends Disposable {
  /** What the request leads to. */
  readonly rule: R;
  /** Who approved it, where the rule asks for that. */
  readonly approvedBy?: ApprovedBy;
}

/**
 * Lets a request in, or refuses it: by the policy, then by the limits of its caller, then by whoever has to approve it.
 * No token is asked for and nothing of Cloud KMS before that.
 *
 * @throws KeyServiceError `rule_not_found`, `caller_not_allowed`, `caller_limit_exceeded`, `approval_refused`,
 * `overloaded`, or the signal's reason
 */
export type Admit<R> = (request: AccessRequest, signal: AbortSignal) => Promise<Admission<R>>;

export function createAdmit<R extends LimitedRule & ApprovedRule>(
  decide: Decide<R>,
  limits: CallerLimits,
  approve: Approve,
): Admit<R> {
  return async (request, signal) => {
    const decision = decide(request);
    if (!decision.allowed) throw decision.error;
    const { rule } = decision;
    let taken: Disposable | undefined;
    try {
      taken = limits.enter(request.caller, rule);
      const ask = approvalFor(rule, request.operation);
      const approvedBy = ask === undefined ? undefined : await approve(request, rule.name, ask, signal);
      const held = taken;
      const admission = { rule, [Symbol.dispose]: () => held[Symbol.dispose]() };
      return approvedBy === undefined ? admission : { ...admission, approvedBy };
    } catch (thrown) {
      taken?.[Symbol.dispose]();
      throw toKeyServiceError(thrown).within({ key: request.key, rule: rule.name });
    }
  };
}
