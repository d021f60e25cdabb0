import type { ApprovedBy } from "../access/approval.ts";
import type { Caller } from "../access/caller.ts";
import type { Operation } from "../config/config.ts";
import type { ErrorCode, KeyServiceError } from "../core/errors.ts";

/** What the log says of a call: everything but the payloads. */
export interface CallRecord {
  readonly requestId: string;
  readonly operation: Operation;
  /** As the caller sent it: not yet checked, so not yet fit to print. */
  readonly key: string;
  readonly caller: Caller;
  readonly rule?: string;
  readonly source?: string;
  /** Who approved it, where the rule asks for that. */
  readonly approvedBy?: ApprovedBy;
  readonly principal?: string;
  readonly keyVersion?: string;
  /** What answered, where it was not a request of this call's own to Cloud KMS. */
  readonly servedBy?: "joined" | "cache";
  readonly outcome: "ok" | ErrorCode;
  readonly error?: KeyServiceError;
  readonly latencyMs: number;
}
