import { KeyServiceError } from "../../core/errors.ts";
import { isJsonObject, parseJsonObject } from "../../core/json.ts";
import { Secret } from "../../core/secret.ts";
import { toCode } from "../token-errors.ts";

/** What a command printed, understood. */
export type ExecAnswer =
  | { readonly kind: "token"; readonly accessToken: Secret; readonly expiresAtMs: number; readonly format: string }
  /** It says itself that there is no token; `code` is an identifier or undefined. */
  | { readonly kind: "failure"; readonly code: string | undefined };

type Fields = Readonly<Record<string, unknown>>;

const KUBERNETES_VERSIONS: readonly unknown[] = [
  "client.authentication.k8s.io/v1",
  "client.authentication.k8s.io/v1beta1",
];
const ACCESS_TOKEN_TYPES: readonly unknown[] = [
  "urn:ietf:params:oauth:token-type:access_token",
  "access_token",
  "Bearer",
];

/**
 * Reads one of the three formats that commands print tokens in:
 *
 * - an ExecCredential: https://kubernetes.io/docs/reference/config-api/client-authentication.v1/
 * - Google's executable response, here with an access token: https://google.aip.dev/auth/4117
 * - a token endpoint's own answer: https://www.rfc-editor.org/rfc/rfc6749#section-5.1
 *
 * @param nowMs wall clock, when the command was started: an answer in seconds counts from there
 * @returns undefined for what is not a JSON object
 * @throws KeyServiceError `credential_rejected` for an answer of a known format that is no token to use
 */
export function readExecAnswer(text: string, nowMs: number): ExecAnswer | undefined {
  const body = parseJsonObject(text);
  if (body === undefined) return undefined;
  if (body["kind"] === "ExecCredential") return readExecCredential(body);
  if ("success" in body) return readExecutableResponse(body);
  if ("access_token" in body) return readTokenResponse(body, nowMs);
  throw unusable("it is neither an ExecCredential nor an executable response nor a token response");
}

function readExecCredential(body: Fields): ExecAnswer {
  if (!KUBERNETES_VERSIONS.includes(body["apiVersion"])) {
    throw unusable("its apiVersion is not client.authentication.k8s.io/v1 or v1beta1");
  }
  const status = isJsonObject(body["status"]) ? body["status"] : {};
  const expiry = status["expirationTimestamp"];
  return {
    kind: "token",
    accessToken: readToken(status["token"], "status.token"),
    expiresAtMs: typeof expiry === "string" ? Date.parse(expiry) : missingExpiry("status.expirationTimestamp"),
    format: "ExecCredential",
  };
}

function readExecutableResponse(body: Fields): ExecAnswer {
  if (body["version"] !== 1) throw unusable("its version is not 1");
  if (body["success"] !== true) return { kind: "failure", code: toCode(body["code"]) };
  if (!ACCESS_TOKEN_TYPES.includes(body["token_type"])) {
    throw unusable(
      "its token_type is not that of an access token",
      "an ID token or assertion has to be exchanged: configure external_account with this executable",
    );
  }
  return {
    kind: "token",
    accessToken: readToken(body["access_token"] ?? body["id_token"], "access_token"),
    expiresAtMs: (readSeconds(body["expiration_time"]) ?? missingExpiry("expiration_time")) * 1000,
    format: "executable response",
  };
}

function readTokenResponse(body: Fields, nowMs: number): ExecAnswer {
  return {
    kind: "token",
    accessToken: readToken(body["access_token"], "access_token"),
    expiresAtMs: nowMs + (readSeconds(body["expires_in"]) ?? missingExpiry("expires_in")) * 1000,
    format: "token response",
  };
}

/** Anything else could not stand in an HTTP header. */
function readToken(value: unknown, field: string): Secret {
  if (typeof value !== "string" || value === "") throw unusable(`${field} is missing`);
  if (!/^[\x21-\x7e]+$/.test(value)) throw unusable(`${field} holds what cannot be in a token`);
  return new Secret(value);
}

/** Scripts often put quotes around numbers. */
function readSeconds(value: unknown): number | undefined {
  if (typeof value === "string" && /^\d{1,15}$/.test(value)) return Number(value);
  return typeof value === "number" ? value : undefined;
}

function missingExpiry(field: string): never {
  throw unusable(`${field} is missing`, `let it say in ${field} when the token ends`);
}

function unusable(
  why: string,
  remedy = "see docs/token-sources/exec.md for the formats that are understood",
): KeyServiceError {
  return new KeyServiceError("credential_rejected", { problem: `its answer cannot be used: ${why}`, remedy });
}
