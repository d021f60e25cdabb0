import type { ErrorCode, KeyServiceError } from "../core/errors.ts";

/** The last thing that went wrong, and how often in a row something did. */
export interface RefreshFailure {
  readonly error: KeyServiceError;
  readonly atMonotonicMs: number;
  /** 1 for the first. */
  readonly count: number;
  /** From 0 up to 1, drawn once, so that asking twice gives one answer. */
  readonly random: number;
}

const BASE_MS = 200;
/** While the token is still valid nobody waits: the endpoint is given time to recover. */
const CAP_WHILE_VALID_MS = 15_000;
/** With nothing to serve, every second of an outage that is over counts. */
const CAP_WHILE_INVALID_MS = 2000;
/** Trying again mends nothing; it is soon enough to notice that an operator did. */
const OPERATOR_MS = 5000;

/**
 * How long after a failure the next refresh may begin, milliseconds. Full jitter: anything from nothing to the
 * exponential step, so that a fleet does not come back in step.
 * https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
 */
export function retryDelayMs(failure: RefreshFailure, hasValidToken: boolean): number {
  if (isForOperator(failure.error.code)) return OPERATOR_MS * (0.5 + 0.5 * failure.random);
  const capMs = hasValidToken ? CAP_WHILE_VALID_MS : CAP_WHILE_INVALID_MS;
  // 2^16 is past every cap already: the exponent must not grow with the length of an outage.
  return failure.random * Math.min(capMs, BASE_MS * 2 ** Math.min(failure.count, 16));
}

function isForOperator(code: ErrorCode): boolean {
  return code === "credential_rejected" || code === "credential_missing";
}
