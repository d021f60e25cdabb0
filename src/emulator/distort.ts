import type { FaultEffect } from "./faults.ts";
import { googleErrorReply } from "./refusals.ts";
import type { Endpoint, Reply } from "./routes.ts";

type StatusFault = Extract<FaultEffect, { readonly kind: "status" }>;

// https://github.com/googleapis/googleapis/blob/master/google/rpc/code.proto
const STATUS_NAMES: Readonly<Record<number, string>> = {
  400: "INVALID_ARGUMENT",
  401: "UNAUTHENTICATED",
  403: "PERMISSION_DENIED",
  404: "NOT_FOUND",
  409: "ABORTED",
  429: "RESOURCE_EXHAUSTED",
  499: "CANCELLED",
  500: "INTERNAL",
  501: "UNIMPLEMENTED",
  503: "UNAVAILABLE",
  504: "DEADLINE_EXCEEDED",
};

const OAUTH_ENDPOINTS: readonly Endpoint[] = ["oauth.token", "sts.token", "sts.oauthtoken", "gdch.token"];

/** The answer that a `status` fault gives instead of the real one. */
export function statusReply(fault: StatusFault, endpoint: Endpoint): Reply {
  const headers = fault.retryAfter === undefined ? {} : { "Retry-After": String(fault.retryAfter) };
  return { status: fault.code, headers, body: fault.body ?? defaultBody(fault.code, endpoint) };
}

export function htmlReply(status = 200): Reply {
  const body = "<!doctype html>\n<title>Sign in</title>\n<p>A page where an answer should be.</p>\n";
  return { status, headers: { "Content-Type": "text/html; charset=UTF-8" }, body };
}

function defaultBody(code: number, endpoint: Endpoint): object {
  if (OAUTH_ENDPOINTS.includes(endpoint)) {
    const error = code >= 500 ? "internal_failure" : code === 401 ? "invalid_client" : "invalid_grant";
    return { error, error_description: "A fault that was set in the emulator." };
  }
  return googleErrorReply(code, STATUS_NAMES[code] ?? "UNKNOWN", "A fault that was set in the emulator.")
    .body as object;
}

type Json = Readonly<Record<string, unknown>>;

/** A good answer, made bad the way the fault says; kinds that do not change the answer's content give it back. */
export function distort(reply: Reply, kind: FaultEffect["kind"], endpoint: Endpoint): Reply {
  if (reply.status !== 200 || typeof reply.body === "string") return reply;
  return { ...reply, body: distortBody(reply.body as Json, kind, payloadField(endpoint)) };
}

function distortBody(body: Json, kind: FaultEffect["kind"], field: string): Json {
  const checksumField = `${field}Crc32c`;
  switch (kind) {
    case "corrupt":
      return { ...body, [field]: flipBit(String(body[field]), checksumField in body) };
    case "wrong-crc":
      return { ...body, [checksumField]: String((Number(body[checksumField]) ^ 1) >>> 0) };
    case "wrong-name":
      return { ...body, name: String(body["name"]).replace(/\/cryptoKeys\/[^/]+/, "$&-other") };
    case "empty":
      return { ...body, [field]: "", ...(checksumField in body && { [checksumField]: "0" }) };
    case "unverified":
      return { ...body, verifiedPlaintextCrc32c: false };
    case "latency":
    case "status":
    case "html":
    case "hang":
    case "reset":
    case "truncate":
      return body;
  }
}

function payloadField(endpoint: Endpoint): string {
  switch (endpoint) {
    case "kms.encrypt":
      return "ciphertext";
    case "kms.decrypt":
      return "plaintext";
    case "iam.generateAccessToken":
      return "accessToken";
    default:
      return "access_token";
  }
}

function flipBit(text: string, isBase64: boolean): string {
  const bytes = Buffer.from(text, isBase64 ? "base64" : "latin1");
  // A token's lowest bit: `a` becomes a backtick at worst, which is still one line of printable text.
  if (bytes.length > 0) bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1;
  return bytes.toString(isBase64 ? "base64" : "latin1");
}
