import type { Operation } from "../config/config.ts";
import { KeyServiceError, toPrintableLine } from "../core/errors.ts";
import { parseJson } from "./answer.ts";

/** What the caller of an attempt should do with its failure. */
export type Retry = "never" | "with_backoff" | "with_fresh_token";

/** An attempt that failed, and whether another one can help. */
export interface AttemptFailure {
  readonly error: KeyServiceError;
  readonly retry: Retry;
}

interface UpstreamError {
  readonly httpStatus: number;
  /** Google's word for it, such as `PERMISSION_DENIED`; empty where the answer was not Google's JSON. */
  readonly status: string;
  /** Google's sentence, cut and made printable. It names resources and permissions, never payloads. */
  readonly message: string;
}

const MAX_MESSAGE_LENGTH = 200;

/** A failed answer of Cloud KMS as the error that a sops user reads. */
export function readErrorAnswer(
  httpStatus: number,
  body: Buffer,
  asked: AskedOperation,
  endpointHost: string,
): AttemptFailure {
  const upstream = readUpstreamError(httpStatus, body);
  const said = `Cloud KMS at ${endpointHost} answered ${describe(upstream)}`;
  const answer = ANSWERS[httpStatus];
  if (answer === undefined) return { error: unavailable(said), retry: "never" };
  return { error: answer.toError(said, asked, upstream), retry: answer.retry };
}

/** What was asked for, and for whom. */
export interface AskedOperation {
  readonly operation: Operation;
  readonly principal: string | undefined;
}

type ToError = (said: string, asked: AskedOperation, upstream: UpstreamError) => KeyServiceError;

/** No answer at all: refused, reset, timed out, TLS. */
export function readConnectionFailure(thrown: unknown, endpointHost: string): AttemptFailure {
  const error = new KeyServiceError("kms_unavailable", {
    problem: `Cloud KMS at ${endpointHost} could not be reached: ${connectionErrorCode(thrown)}`,
    remedy: "check the network, proxy and kms.endpoint of the rule, then try again",
    cause: thrown,
  });
  return { error, retry: "with_backoff" };
}

/** `ECONNREFUSED` and the like: the codes of Node and undici, never their messages, which can quote bytes. */
function connectionErrorCode(thrown: unknown): string {
  const code = codeOf(thrown) ?? codeOf(thrown instanceof Error ? thrown.cause : undefined);
  return code ?? "connection failed";
}

function codeOf(thrown: unknown): string | undefined {
  if (!(thrown instanceof Error) || !("code" in thrown)) return undefined;
  return typeof thrown.code === "string" ? thrown.code : undefined;
}

function badRequest(said: string, _asked: AskedOperation, upstream: UpstreamError): KeyServiceError {
  if (upstream.status === "FAILED_PRECONDITION") {
    return new KeyServiceError("kms_precondition_failed", {
      problem: said,
      remedy: "enable or restore the key version, or use a key whose purpose is ENCRYPT_DECRYPT",
    });
  }
  return new KeyServiceError("payload_invalid", {
    problem: said,
    remedy: "check that the file was encrypted with this key and was not damaged",
  });
}

function unauthenticated(said: string): KeyServiceError {
  return new KeyServiceError("kms_permission_denied", {
    problem: `${said}, also for a fresh token`,
    remedy: "check that the token source's principal still exists and is enabled, and the clock of this machine",
  });
}

function forbidden(said: string, { operation, principal }: AskedOperation): KeyServiceError {
  const role = operation === "encrypt" ? "roles/cloudkms.cryptoKeyEncrypter" : "roles/cloudkms.cryptoKeyDecrypter";
  return new KeyServiceError("kms_permission_denied", {
    problem: said,
    remedy: `grant ${role} on this key to ${principal ?? "the token source's principal"}, or use another source`,
  });
}

function notFound(said: string): KeyServiceError {
  return new KeyServiceError("key_not_found", {
    problem: said,
    remedy: "check the project, location, key ring and key in the sops file or .sops.yaml",
  });
}

function throttled(said: string): KeyServiceError {
  return new KeyServiceError("kms_throttled", {
    problem: said,
    remedy: "try again in a moment; if it stays, raise the quota of the project that pays for the call",
  });
}

function unavailable(said: string): KeyServiceError {
  return new KeyServiceError("kms_unavailable", { problem: said, remedy: "try again in a moment" });
}

// 429 may clear within a second, but asking again at once is what keeps a quota exhausted.
const ANSWERS: Readonly<Record<number, { readonly toError: ToError; readonly retry: Retry }>> = {
  400: { toError: badRequest, retry: "never" },
  401: { toError: unauthenticated, retry: "with_fresh_token" },
  403: { toError: forbidden, retry: "never" },
  404: { toError: notFound, retry: "never" },
  429: { toError: throttled, retry: "never" },
  503: { toError: unavailable, retry: "with_backoff" },
  504: { toError: unavailable, retry: "with_backoff" },
};

function describe({ httpStatus, status, message }: UpstreamError): string {
  const head = status === "" ? `${httpStatus}` : `${httpStatus} ${status}`;
  return message === "" ? head : `${head}: ${message}`;
}

/** Only what Google's error format has: the page of a proxy in between says nothing that helps, and may be long. */
function readUpstreamError(httpStatus: number, body: Buffer): UpstreamError {
  const answer = parseJson(body) as { error?: { status?: unknown; message?: unknown } } | null | undefined;
  const status = answer?.error?.status;
  const message = answer?.error?.message;
  return {
    httpStatus,
    status: typeof status === "string" && /^[A-Z_]{1,40}$/.test(status) ? status : "",
    message: typeof message === "string" ? toPrintableLine(message).slice(0, MAX_MESSAGE_LENGTH) : "",
  };
}
