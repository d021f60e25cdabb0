import type { ApprovedBy } from "../access/approval.ts";
import type { Caller } from "../access/caller.ts";
import type { CallAudit } from "../audit/audit.ts";
import type { CallerToken } from "../core/caller-token.ts";
import type { KeyServiceError } from "../core/errors.ts";
import type { Secret } from "../core/secret.ts";
import type { ServedBy } from "../kms/kms-client.ts";

/** Where a call comes from. */
export interface CallOrigin {
  /** Who asks, as far as it was proven. */
  readonly caller: Caller;
  /** Whether the listener it came by can be reached from this machine alone. */
  readonly listenerIsLocal: boolean;
  /** Why nothing is done for it: its connection did not prove who it is. */
  readonly refusal?: KeyServiceError;
}

/** What a call brings along besides its key and payload. */
export interface CallContext extends CallOrigin {
  /** The call's `authorization`, as it came; undefined: there is none. Not verified. */
  readonly authorization?: Secret;
  /** The caller's own token, verified: federation may exchange it. */
  readonly callerToken?: CallerToken;
  /** For Google's audit log: one line of printable ASCII; undefined: none is sent. */
  readonly reason?: string;
  /** The account that is kept of it; undefined: none is. A backend says there what it decides, before it acts on it. */
  readonly audit?: Pick<CallAudit, "allowed"> | undefined;
  /** Fires when the caller gives up or its own deadline passes; its reason is a KeyServiceError. */
  readonly signal: AbortSignal;
}

/** What came of a call, with what the log says of it. */
export interface KeyAnswer {
  /** What goes on the wire; never empty. The caller wipes it. */
  readonly bytes: Buffer;
  readonly rule: string;
  readonly source: string;
  /** Who approved it, where the rule asks for that. */
  readonly approvedBy?: ApprovedBy;
  readonly principal?: string;
  readonly keyVersion?: string;
  /** What answered, where it was not a request of this call's own. */
  readonly servedBy?: ServedBy;
}

/**
 * One kind of key-encryption key.
 *
 * @throws KeyServiceError with rule, key and source as far as they are known
 */
export interface KeyBackend<Key> {
  encrypt(key: Key, plaintext: Buffer, context: CallContext): Promise<KeyAnswer>;
  decrypt(key: Key, ciphertext: Buffer, context: CallContext): Promise<KeyAnswer>;
}
