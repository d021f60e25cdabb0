import type { Operation } from "../config/config.ts";
import { KeyServiceError } from "../core/errors.ts";
import { describeProxyFailure } from "../network/proxy-failure.ts";
import { damagedRequestError } from "./verify.ts";

/** What may be done with a failure. */
export type Retry =
  /** Nothing: it would fail again. */
  | "never"
  /** Once, with a fresh token. */
  | "with_fresh_token"
  /** After a while. */
  | "with_backoff"
  /** When the quota's limiter lets it. */
  | "when_admitted";

/** An attempt that failed, and what it says of another one and of the endpoint. */
export interface AttemptFailure {
  readonly error: KeyServiceError;
  readonly retry: Retry;
  /** Whether the endpoint is ill, rather than the request, the key or the quota. */
  readonly endpointIsIll: boolean;
  /** With `endpointIsIll`: its connection broke while it was open, as others may have for the same reason. */
  readonly connectionBroke?: boolean;
  /** How long Cloud KMS asks us to wait. */
  readonly retryAfterMs?: number;
}

/** The kinds of refusal that make a difference here, whatever transport they came by. */
export type RefusalKind =
  | "invalid"
  | "precondition"
  | "unauthenticated"
  | "forbidden"
  | "not_found"
  | "throttled"
  /** Not now: 502, 503, 504. */
  | "unavailable"
  /** Anything else. */
  | "failed";

export interface Refusal {
  readonly kind: RefusalKind;
  /** What the endpoint answered, in one printable line that is no secret: `503 UNAVAILABLE: …`. */
  readonly answered: string;
  readonly retryAfterMs: number | undefined;
}

/** What was asked for, of whom, and for whom. */
export interface Asked {
  readonly operation: Operation;
  readonly host: string;
  readonly principal: string | undefined;
  /** Whether the token was got because the one before was refused. */
  readonly tokenIsFresh: boolean;
}

/** A refusal of Cloud KMS as the error that a sops user reads. */
export function describeRefusal(refusal: Refusal, asked: Asked): AttemptFailure {
  const said = `Cloud KMS at ${asked.host} answered ${refusal.answered}`;
  const wait = refusal.retryAfterMs === undefined ? {} : { retryAfterMs: refusal.retryAfterMs };
  const failure = (error: KeyServiceError, retry: Retry, endpointIsIll = false): AttemptFailure => ({
    error,
    retry,
    endpointIsIll,
    ...wait,
  });
  switch (refusal.kind) {
    case "invalid":
      return isChecksumComplaint(refusal)
        ? failure(damagedRequestError(), "with_backoff")
        : failure(invalid(said), "never");
    case "precondition":
      return failure(precondition(said), "never");
    case "unauthenticated":
      return failure(unauthenticated(said, asked), "with_fresh_token");
    case "forbidden":
      return failure(forbidden(said, asked), "never");
    case "not_found":
      return failure(notFound(said), "never");
    case "throttled":
      return failure(throttled(said), "when_admitted");
    case "unavailable":
      return failure(unavailable(said), "with_backoff", true);
    case "failed":
      return failure(unavailable(said), "never", true);
  }
}

/** Cloud KMS verifies the checksum that we send, and calls a mismatch an invalid argument. */
function isChecksumComplaint({ answered }: Refusal): boolean {
  return /crc32c|checksum/i.test(answered);
}

/** No answer at all: refused, reset, cut short, TLS. @param proxyHost the proxy in between, if there is one */
export function describeConnectionFailure(thrown: unknown, host: string, proxyHost?: string): AttemptFailure {
  const code = connectionErrorCode(thrown);
  const error = new KeyServiceError("kms_unavailable", { ...explain(thrown, code, host, proxyHost), cause: thrown });
  return { error, retry: "with_backoff", endpointIsIll: true, connectionBroke: BROKEN.has(code) };
}

function explain(thrown: unknown, code: string, host: string, proxyHost: string | undefined) {
  const ofProxy = proxyHost === undefined ? undefined : describeProxyFailure(thrown);
  if (ofProxy !== undefined) {
    return {
      problem: `proxy ${proxyHost}, the way to Cloud KMS at ${host}, ${ofProxy.problem}`,
      remedy: ofProxy.remedy,
    };
  }
  const through = proxyHost === undefined ? "" : ` through proxy ${proxyHost}`;
  return { problem: `Cloud KMS at ${host} could not be reached${through}: ${code}`, remedy: remedyFor(code) };
}

function remedyFor(code: string): string {
  // Over gRPC it is OpenSSL's sentence rather than Node's code.
  if (/cert|signature|issuer/i.test(code)) {
    return "check kms.endpoint of the rule; a private CA is named by kms.caFile of the rule or google.caFile";
  }
  return "check the network, proxy and kms.endpoint of the rule, then try again";
}

/** A connection that was there and is no more, rather than one that could not be made. */
const BROKEN: ReadonlySet<string> = new Set(["ECONNRESET", "EPIPE", "UND_ERR_SOCKET"]);

/** `ECONNREFUSED` and the like: the codes of Node and undici, never their messages, which can quote bytes. */
function connectionErrorCode(thrown: unknown): string {
  const code = codeOf(thrown) ?? codeOf(thrown instanceof Error ? thrown.cause : undefined);
  return code ?? "connection failed";
}

function codeOf(thrown: unknown): string | undefined {
  if (!(thrown instanceof Error) || !("code" in thrown)) return undefined;
  return typeof thrown.code === "string" ? thrown.code : undefined;
}

function invalid(problem: string): KeyServiceError {
  const remedy = "check that the file was encrypted with this key and was not damaged";
  return new KeyServiceError("payload_invalid", { problem, remedy });
}

function precondition(problem: string): KeyServiceError {
  const remedy = "enable or restore the key version, or use a key whose purpose is ENCRYPT_DECRYPT";
  return new KeyServiceError("kms_precondition_failed", { problem, remedy });
}

function unauthenticated(said: string, { tokenIsFresh }: Asked): KeyServiceError {
  return new KeyServiceError("kms_permission_denied", {
    problem: tokenIsFresh ? `${said}, also for a fresh token` : said,
    remedy: "check that the token source's principal still exists and is enabled, and the clock of this machine",
  });
}

function forbidden(problem: string, { operation, principal }: Asked): KeyServiceError {
  const role = operation === "encrypt" ? "roles/cloudkms.cryptoKeyEncrypter" : "roles/cloudkms.cryptoKeyDecrypter";
  const remedy = `grant ${role} on this key to ${principal ?? "the token source's principal"}, or use another source`;
  return new KeyServiceError("kms_permission_denied", { problem, remedy });
}

function notFound(problem: string): KeyServiceError {
  const remedy = "check the project, location, key ring and key in the sops file or .sops.yaml";
  return new KeyServiceError("key_not_found", { problem, remedy });
}

function throttled(problem: string): KeyServiceError {
  const remedy = "try again in a moment; if it stays, raise the quota of the project that pays for the call";
  return new KeyServiceError("kms_throttled", { problem, remedy });
}

function unavailable(problem: string): KeyServiceError {
  return new KeyServiceError("kms_unavailable", { problem, remedy: "try again in a moment" });
}
