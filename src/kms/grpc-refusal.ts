import { type ServiceError, status } from "@grpc/grpc-js";
import { toPrintableLine } from "../core/errors.ts";
import { readRetryDelayMs } from "./grpc-retry-info.ts";
import type { TransportOutcome } from "./transport.ts";
import { type Asked, describeConnectionFailure, describeRefusal, type RefusalKind } from "./upstream-error.ts";
import { integrityError } from "./verify.ts";

const MAX_MESSAGE_LENGTH = 200;

/** As JSON refusals are understood: https://cloud.google.com/apis/design/errors#error_codes has the pairs. */
const KINDS: Readonly<Partial<Record<status, RefusalKind>>> = {
  [status.INVALID_ARGUMENT]: "invalid",
  [status.FAILED_PRECONDITION]: "precondition",
  [status.UNAUTHENTICATED]: "unauthenticated",
  [status.PERMISSION_DENIED]: "forbidden",
  [status.NOT_FOUND]: "not_found",
  [status.RESOURCE_EXHAUSTED]: "throttled",
  [status.UNAVAILABLE]: "unavailable",
  [status.DEADLINE_EXCEEDED]: "unavailable",
};

/** A call that failed, as what its user reads and what may be done about it. */
export function describeGrpcFailure(error: ServiceError, asked: Asked, proxyHost?: string): TransportOutcome {
  if (isConnectionFailure(error)) {
    return { ok: false, ...describeConnectionFailure(connectionError(error), asked.host, proxyHost) };
  }
  const damage = findDamage(error);
  if (damage !== undefined) {
    return { ok: false, error: integrityError(damage), retry: "with_backoff", endpointIsIll: false };
  }
  const kind = KINDS[error.code] ?? "failed";
  const said = toPrintableLine(error.details).slice(0, MAX_MESSAGE_LENGTH);
  const answered = said === "" ? status[error.code] : `${status[error.code]}: ${said}`;
  return { ok: false, ...describeRefusal({ kind, answered, retryAfterMs: readRetryDelayMs(error.metadata) }, asked) };
}

// grpc-js 1.14 gives what happened to the connection the same codes as what a server says. Its words tell them apart:
// subchannel-call.js, load-balancing-call.js, resolver-dns.js, picker.js.
const CONNECTION =
  /^(?:No connection established|Name resolution failed|Connection dropped|Stream refused|Received RST_STREAM|Call cancelled|Cancelled on client|Channel closed|Write |Failed to start HTTP\/2|No status information|Bandwidth exhausted|Protocol not secure|(?:read|write|connect) E[A-Z])/;

/** Whether no answer came at all, or only a part of one. */
export function isConnectionFailure({ details }: ServiceError): boolean {
  return CONNECTION.test(details);
}

/** The words of Node that say what is wrong with a connection, and that hold nothing of what went over it. */
const CAUSE =
  /Name resolution failed|\bE[A-Z]{4,}\b|self-signed certificate|unable to (?:get|verify) [a-z ]+|certificate has expired|certificate's altnames/;

function connectionError(error: ServiceError): Error {
  const [code] = CAUSE.exec(error.details) ?? [];
  return Object.assign(new Error("no connection", { cause: error }), code === undefined ? {} : { code });
}

function findDamage({ details }: ServiceError): string | undefined {
  // A web page too: its first letters are read as a length.
  if (details.startsWith("Received message larger than max")) return "it is larger than any answer of Cloud KMS";
  if (details.startsWith("Response message parsing error")) return "it is not a message of Cloud KMS";
  return undefined;
}
