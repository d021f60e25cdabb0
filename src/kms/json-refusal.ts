import { toPrintableLine } from "../core/errors.ts";
import { isJsonObject, parseJsonObject } from "../core/json.ts";
import type { Refusal, RefusalKind } from "./upstream-error.ts";

const MAX_MESSAGE_LENGTH = 200;

const KINDS: Readonly<Record<number, RefusalKind>> = {
  400: "invalid",
  401: "unauthenticated",
  403: "forbidden",
  404: "not_found",
  429: "throttled",
  502: "unavailable",
  503: "unavailable",
  504: "unavailable",
};

/** google.rpc.Status, as far as it is read. */
interface Status {
  readonly status?: unknown;
  readonly message?: unknown;
}

/**
 * A failed answer of Cloud KMS' REST API.
 *
 * Only what Google's error format has: the page of a proxy in between says nothing that helps, and may be long.
 */
export function readJsonRefusal(httpStatus: number, body: Buffer, retryAfterMs: number | undefined): Refusal {
  const error = parseJsonObject(body.toString("utf8"))?.["error"];
  const { status, message }: Status = isJsonObject(error) ? error : {};
  const word = typeof status === "string" && /^[A-Z_]{1,40}$/.test(status) ? ` ${status}` : "";
  const text = typeof message === "string" ? `: ${toPrintableLine(message).slice(0, MAX_MESSAGE_LENGTH)}` : "";
  const kind = status === "FAILED_PRECONDITION" ? "precondition" : (KINDS[httpStatus] ?? "failed");
  return { kind, answered: `${httpStatus}${word}${text}`, retryAfterMs };
}
