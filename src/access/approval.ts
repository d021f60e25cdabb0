import type { ApproveConfig, Operation, RuleConfig } from "../config/config.ts";
import type { AccessRequest } from "./decision.ts";

/** What approval needs of a rule. */
export type ApprovedRule = Pick<RuleConfig, "name" | "approve">;

/** Who said that a call may go on. */
export type ApprovedBy = "command" | "terminal" | "remembered";

/**
 * Has somebody say whether a request may go on that the policy lets through.
 *
 * @throws KeyServiceError `approval_refused`, `overloaded` where too many wait, or the signal's reason
 */
export type Approve = (
  request: AccessRequest,
  rule: string,
  ask: ApproveConfig,
  signal: AbortSignal,
) => Promise<ApprovedBy>;

/** What a rule asks for before an operation; undefined: nothing. The server and `explain` both ask here. */
export function approvalFor({ approve }: ApprovedRule, operation: Operation): ApproveConfig | undefined {
  return approve?.operations.includes(operation) === true ? approve : undefined;
}
