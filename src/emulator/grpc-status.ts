import { descriptors } from "./kms-descriptors.ts";
import { fromJson, type Json } from "./proto-json.ts";
import type { Reply } from "./routes.ts";

/** By number: https://grpc.github.io/grpc/core/md_doc_statuscodes.html */
const CODES: readonly string[] = [
  "OK",
  "CANCELLED",
  "UNKNOWN",
  "INVALID_ARGUMENT",
  "DEADLINE_EXCEEDED",
  "NOT_FOUND",
  "ALREADY_EXISTS",
  "PERMISSION_DENIED",
  "RESOURCE_EXHAUSTED",
  "FAILED_PRECONDITION",
  "ABORTED",
  "OUT_OF_RANGE",
  "UNIMPLEMENTED",
  "INTERNAL",
  "UNAVAILABLE",
  "DATA_LOSS",
  "UNAUTHENTICATED",
];

const Status = descriptors.lookupType("google.rpc.Status");

/** What is percent-encoded in a status message: all but printable ASCII, and the percent sign. */
const UNPRINTABLE = /[^ -$&-~]+/g;

/**
 * A REST refusal as gRPC has it; undefined where it is not one of Google's but an answer of something in between, such
 * as a proxy's 502: what code it is, a client makes up.
 */
export function toTrailers({ body, headers }: Reply): Readonly<Record<string, string>> | undefined {
  if (typeof body === "string") return undefined;
  const { error } = body as { error?: { status?: string; message?: string; details?: readonly Json[] } };
  const code = CODES.indexOf(error?.status ?? "");
  if (error === undefined || code <= 0 || error.status === "UNKNOWN") return undefined;
  const { message = "", details = [] } = error;
  const seconds = headers?.["Retry-After"];
  const all =
    seconds === undefined
      ? details
      : [...details, { "@type": "type.googleapis.com/google.rpc.RetryInfo", retryDelay: `${seconds}s` }];
  return {
    "grpc-status": String(code),
    "grpc-message": message.replace(UNPRINTABLE, encodeURIComponent),
    ...(all.length > 0 && { "grpc-status-details-bin": encodeStatus(code, message, all) }),
  };
}

function encodeStatus(code: number, message: string, details: readonly Json[]): string {
  const packed = details.map(({ "@type": url, ...detail }) => {
    const type = descriptors.lookupType(String(url).replace(/^.*\//, ""));
    return { type_url: url, value: type.encode(fromJson(type, detail)).finish() };
  });
  return Buffer.from(Status.encode({ code, message, details: packed }).finish()).toString("base64");
}
