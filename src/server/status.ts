import { status } from "@grpc/grpc-js";
import type { ErrorCode } from "../core/errors.ts";

/** The one table from our codes to gRPC's. `satisfies` makes it complete. */
const GRPC_STATUS = {
  rule_not_found: status.PERMISSION_DENIED,
  caller_not_allowed: status.PERMISSION_DENIED,
  approval_refused: status.PERMISSION_DENIED,
  caller_limit_exceeded: status.RESOURCE_EXHAUSTED,
  caller_unauthenticated: status.UNAUTHENTICATED,
  // The caller did nothing wrong, and may ask another server.
  issuer_unavailable: status.UNAVAILABLE,
  key_name_invalid: status.INVALID_ARGUMENT,
  payload_invalid: status.INVALID_ARGUMENT,
  key_type_unsupported: status.UNIMPLEMENTED,
  // UNAUTHENTICATED or PERMISSION_DENIED would accuse the caller of what only the operator can mend.
  credential_missing: status.FAILED_PRECONDITION,
  credential_rejected: status.FAILED_PRECONDITION,
  credential_unavailable: status.UNAVAILABLE,
  kms_permission_denied: status.FAILED_PRECONDITION,
  kms_precondition_failed: status.FAILED_PRECONDITION,
  key_not_found: status.NOT_FOUND,
  kms_throttled: status.RESOURCE_EXHAUSTED,
  kms_unavailable: status.UNAVAILABLE,
  server_unreachable: status.UNAVAILABLE,
  overloaded: status.RESOURCE_EXHAUSTED,
  deadline_exceeded: status.DEADLINE_EXCEEDED,
  cancelled: status.CANCELLED,
  integrity_failed: status.DATA_LOSS,
  audit_unavailable: status.UNAVAILABLE,
  internal: status.INTERNAL,
} as const satisfies Record<ErrorCode, status>;

export function grpcStatusOf(code: ErrorCode): status {
  return GRPC_STATUS[code];
}
