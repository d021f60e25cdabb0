import { KeyServiceError } from "../core/errors.ts";
import { isJsonObject, parseJsonObject } from "../core/json.ts";
import type { TokenResponse } from "./token-request.ts";

/** What a token endpoint said when it gave no token, boiled down to what may be shown. */
export interface Refusal {
  readonly status: number;
  /** OAuth's `error` (`invalid_grant`) or Google's `error.status` (`PERMISSION_DENIED`). */
  readonly code: string | undefined;
  /** The `reason` of a google.rpc.ErrorInfo: `SERVICE_DISABLED`, `IAM_PERMISSION_DENIED`. */
  readonly reason: string | undefined;
  /** What the free text, which is not shown, is known to mean. */
  readonly meaning: RefusalMeaning | undefined;
}

export type RefusalMeaning =
  | "clock"
  | "key"
  | "account"
  | "revoked"
  | "reauthentication"
  | "expired-subject"
  | "audience"
  | "issuer"
  | "condition";

/** Whose request it was and what its owner can do about a refusal. */
export interface RefusalContext {
  readonly source: string;
  readonly principal?: string;
  remedyFor(refusal: Refusal): string | undefined;
  /** Told of a 401 where the request was made with a token of another source: that one was refused. */
  readonly onUnauthorized?: () => void;
}

// Google's words, as they have been for years; where they change, only the hint is lost.
const MEANINGS: readonly (readonly [RegExp, RefusalMeaning])[] = [
  [/short-lived token|reasonable timeframe|iat and exp/i, "clock"],
  [/JWT signature|no valid verifier/i, "key"],
  [/account not found|account has been deleted|not a valid email|account.{0,10}disabled|Gaia id not found/i, "account"],
  [/reauth|invalid_rapt/i, "reauthentication"],
  [/expired or revoked|has been revoked/i, "revoked"],
  [/stale to sign-in|(?:subject|ID) token is (?:stale|expired)/i, "expired-subject"],
  [/\baud(?:ience)? (?:claim|in)\b|does not match the expected audience/i, "audience"],
  [/issuer in|credential's issuer/i, "issuer"],
  [/attribute condition/i, "condition"],
];

const GENERAL_REMEDIES: Readonly<Record<RefusalMeaning, string>> = {
  clock: "set the clock of this machine: google says that the time in the request is off",
  key: "the key was deleted or belongs to another account: make a new one",
  account: "check that the service account exists and is enabled",
  revoked: "run gcloud auth application-default login again",
  reauthentication: "run gcloud auth application-default login again",
  "expired-subject": "see that what issues the subject token renews it, and that the clock of this machine is right",
  audience: "have the subject token issued for the audience that the identity provider in google cloud expects",
  issuer: "check the issuer and its keys in the identity provider's settings in google cloud",
  condition: "check the attribute condition of the identity provider in google cloud",
};

/**
 * 429 and 5xx pass, everything else only an operator can mend. The body is never shown: it may repeat what was
 * sent.
 */
export function toRefusalError(response: TokenResponse, endpoint: string, context: RefusalContext): KeyServiceError {
  const refusal = readRefusal(response);
  const said = [`HTTP ${refusal.status}`, refusal.code, refusal.reason].filter((part) => part !== undefined).join(" ");
  const who = { source: context.source, ...(context.principal === undefined ? {} : { principal: context.principal }) };
  if (refusal.status >= 300 && refusal.status < 400) {
    return new KeyServiceError("credential_rejected", {
      ...who,
      problem: `${endpoint} answered with a redirect (${said}), which is not followed`,
      remedy: "name the endpoint itself in the config",
    });
  }
  const isTokenRefused = refusal.status === 401 && context.onUnauthorized !== undefined;
  if (isTokenRefused) context.onUnauthorized?.();
  if (isTokenRefused || isPassing(refusal.status)) {
    return new KeyServiceError("credential_unavailable", {
      ...who,
      problem: `${endpoint} gave no token (${said})`,
      remedy: "try again; look at https://status.cloud.google.com where it lasts",
    });
  }
  return new KeyServiceError("credential_rejected", {
    ...who,
    problem: `${endpoint} refused to give a token (${said})`,
    remedy: remedyFor(refusal, context),
  });
}

function isPassing(status: number): boolean {
  return status === 408 || status === 429 || status >= 500;
}

/** An answer of 200 that is of no use. */
export function uselessAnswer(endpoint: string, source: string): KeyServiceError {
  return new KeyServiceError("credential_unavailable", {
    source,
    problem: `${endpoint} answered without an access token and its expiry`,
    remedy: "check that it is a token endpoint",
  });
}

function remedyFor(refusal: Refusal, context: RefusalContext): string {
  if (refusal.meaning === "clock") return GENERAL_REMEDIES.clock;
  const own = context.remedyFor(refusal);
  if (own !== undefined) return own;
  if (refusal.meaning !== undefined) return GENERAL_REMEDIES[refusal.meaning];
  return "check the credential of this token source";
}

export function readRefusal(response: TokenResponse): Refusal {
  const { status } = response;
  const body = parseJsonObject(response.text);
  const error = body?.["error"];
  const meaning = MEANINGS.find(([pattern]) => pattern.test(response.text))?.[1];
  if (!isJsonObject(error)) return { status, code: toCode(error), reason: toCode(body?.["error_subtype"]), meaning };
  const details = Array.isArray(error["details"]) ? error["details"] : [];
  const reason = details.filter(isJsonObject).find((detail) => typeof detail["reason"] === "string")?.["reason"];
  return { status, code: toCode(error["status"]), reason: toCode(reason), meaning };
}

/** Error codes are identifiers; anything else stays out of messages. */
export function toCode(value: unknown): string | undefined {
  return typeof value === "string" && /^[A-Za-z][A-Za-z0-9_.-]{0,47}$/.test(value) ? value : undefined;
}
