/**
 * Every way a call can end without an answer. Closed on purpose: `server/status.ts` maps each one to a gRPC
 * status and the compiler insists that the table is complete.
 */
export type ErrorCode =
  /** No rule matches the key. */
  | "rule_not_found"
  /** A rule matches, but does not allow this caller or this operation. */
  | "caller_not_allowed"
  /** Whoever has to approve the call did not. */
  | "approval_refused"
  /** A caller asks for more than its share: `limits.perCaller` and the like. */
  | "caller_limit_exceeded"
  /** The caller could not prove who it is. */
  | "caller_unauthenticated"
  /** The keys of a caller's issuer cannot be had, so its token cannot be verified; trying again may help. */
  | "issuer_unavailable"
  /** The resource name is not that of a CryptoKey. */
  | "key_name_invalid"
  /** Bad base64, empty or oversized payload, or a ciphertext that this key did not make. */
  | "payload_invalid"
  /** A SOPS key type that has no backend here. */
  | "key_type_unsupported"
  /** The token source has no credential to offer; a chain asks the next one. */
  | "credential_missing"
  /** The credential was refused or is malformed: only an operator can mend it. */
  | "credential_rejected"
  /** The token endpoint did not answer usefully; trying again may help. */
  | "credential_unavailable"
  /** Cloud KMS answered 401 or 403 for our principal. */
  | "kms_permission_denied"
  /** Cloud KMS refused for the state of the key: version disabled, destroyed, wrong purpose. */
  | "kms_precondition_failed"
  | "key_not_found"
  | "kms_throttled"
  | "kms_unavailable"
  /** `connect`: none of its servers could be reached. */
  | "server_unreachable"
  /** Our own bounds are full. */
  | "overloaded"
  | "deadline_exceeded"
  | "cancelled"
  /** CRC32C or key name did not match: nothing was handed out. */
  | "integrity_failed"
  /** Audit is required, and the call could not be recorded: nothing was handed out. */
  | "audit_unavailable"
  | "internal";

/** Where an error happened; each layer adds what it knows and never overwrites what is already said. */
export interface ErrorContext {
  readonly rule?: string;
  readonly key?: string;
  readonly source?: string;
  readonly principal?: string;
}

export interface ErrorDetail extends ErrorContext {
  /** What happened: lower case, no full stop, no secrets. */
  readonly problem: string;
  /** What the reader can do about it. */
  readonly remedy?: string;
  /** Stays off the wire; for the log, where it is redacted. */
  readonly cause?: unknown;
}

const MAX_LINE_LENGTH = 300;

/**
 * The one error of a call. Its message is public: it is all that a sops user sees, so it says what happened, to
 * which key, under which rule and source, and what to do.
 */
export class KeyServiceError extends Error {
  override readonly name = "KeyServiceError";
  readonly code: ErrorCode;
  readonly detail: ErrorDetail;

  constructor(code: ErrorCode, detail: ErrorDetail) {
    super(renderMessage(detail), detail.cause === undefined ? undefined : { cause: detail.cause });
    this.code = code;
    this.detail = detail;
  }

  /** The same error with more context; what it already says of itself stays. */
  within(context: ErrorContext): KeyServiceError {
    return new KeyServiceError(this.code, { ...context, ...this.detail });
  }
}

/** Anything thrown, as a KeyServiceError. What is not ours becomes `internal`, and its text stays off the wire. */
export function toKeyServiceError(thrown: unknown): KeyServiceError {
  if (thrown instanceof KeyServiceError) return thrown;
  return new KeyServiceError("internal", {
    problem: "sops-keyd failed in a way it did not foresee",
    remedy: "look for this time in the log of sops-keyd and report what it says",
    cause: thrown,
  });
}

function renderMessage(detail: ErrorDetail): string {
  const lines = [detail.problem];
  if (detail.key !== undefined) lines.push(`key: ${detail.key}`);
  const via = [
    detail.rule === undefined ? undefined : `rule: ${detail.rule}`,
    detail.source === undefined ? undefined : `token source: ${detail.source}`,
    detail.principal === undefined ? undefined : `as: ${detail.principal}`,
  ].filter((part) => part !== undefined);
  if (via.length > 0) lines.push(via.join(", "));
  if (detail.remedy !== undefined) lines.push(`to do: ${detail.remedy}`);
  return lines.map(toPrintableLine).join("\n");
}

/**
 * Text from outside, made fit for one line of a message or log: control characters would let a key name or an
 * upstream answer forge lines or move the reader's cursor.
 */
export function toPrintableLine(text: string): string {
  const printable = text.replace(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, "?");
  return printable.length > MAX_LINE_LENGTH ? `${printable.slice(0, MAX_LINE_LENGTH - 1)}…` : printable;
}
