import type { JWTPayload } from "jose";
import { KeyServiceError } from "../../core/errors.ts";
import { showClaim } from "./claims.ts";

/** @param why the token is refused, going on from "its" or "it" */
export function refuseToken(why: string, remedy: string, cause?: unknown): KeyServiceError {
  return new KeyServiceError("caller_unauthenticated", {
    problem: `the caller's token is refused: ${why}`,
    remedy,
    ...(cause === undefined ? {} : { cause }),
  });
}

export const REMEDY_MALFORMED =
  "send the JWT that the issuer gave, as it is, in one authorization header: Bearer TOKEN";
const REMEDY_CLOCK = "check the clocks of this server and of the issuer";
const REMEDY_NEW = "have the issuer give a new one: each job or login has to ask for its own";

/** What jose found, in words; undefined where it is no fault of the token's. */
export function describeJoseError(
  thrown: unknown,
  expected: ExpectedClaims,
  keyId: string | undefined,
): KeyServiceError | undefined {
  const error = toJoseFault(thrown);
  switch (error?.code) {
    case "ERR_JWT_EXPIRED":
      return refuseExpired(error.payload, error.claim, expected, thrown);
    case "ERR_JWT_CLAIM_VALIDATION_FAILED":
      return refuseClaim(error.payload, error.claim, expected, thrown);
    case "ERR_JWKS_NO_MATCHING_KEY":
      return refuseKey(keyId, thrown);
    case "ERR_JWKS_MULTIPLE_MATCHING_KEYS":
      return refuseToken("it names none of its issuer's keys", "have the issuer put a kid into the header", thrown);
    case "ERR_JWS_SIGNATURE_VERIFICATION_FAILED":
      return refuseToken("its signature is not its issuer's", "see whether it was changed on the way", thrown);
    // These say something of the key that the issuer publishes, and nothing of the token.
    case "ERR_JWKS_INVALID":
    case "ERR_JWK_INVALID":
    case "ERR_JOSE_NOT_SUPPORTED":
    case undefined:
      return undefined;
    default:
      return refuseToken("it is not a JWT that can be verified", REMEDY_MALFORMED, thrown);
  }
}

export interface ExpectedClaims {
  readonly audiences: readonly string[];
  readonly nowMs: number;
}

interface JoseFault {
  readonly code: string;
  readonly claim: string;
  readonly payload: JWTPayload;
}

function toJoseFault(thrown: unknown): JoseFault | undefined {
  if (!(thrown instanceof Error) || !("code" in thrown) || !String(thrown.code).startsWith("ERR_J")) return undefined;
  const { code, claim = "", payload = {} } = thrown as Error & Partial<JoseFault>;
  return { code: String(code), claim, payload };
}

function refuseKey(keyId: string | undefined, cause: unknown): KeyServiceError {
  const which =
    keyId === undefined ? "none of its issuer's keys" : `no key of its issuer: the key id is ${showClaim(keyId)}`;
  return refuseToken(
    `it was signed by ${which}`,
    "check that the issuer publishes this key; new ones are looked for every 30 s",
    cause,
  );
}

function refuseExpired(payload: JWTPayload, claim: string, { nowMs }: ExpectedClaims, cause: unknown): KeyServiceError {
  if (claim === "iat") return refuseToken(`it was issued at ${showTime(payload.iat)}, too long ago`, REMEDY_NEW, cause);
  const agoS = Math.round(nowMs / 1000 - (payload.exp ?? 0));
  return refuseToken(`it expired at ${showTime(payload.exp)}, ${agoS} s ago`, REMEDY_NEW, cause);
}

function refuseClaim(payload: JWTPayload, claim: string, expected: ExpectedClaims, cause: unknown): KeyServiceError {
  if (claim === "aud") return refuseAudience(payload.aud, expected.audiences, cause);
  if (payload[claim] === undefined) {
    return refuseToken(`its claim ${claim} is missing`, "have the issuer put it in: exp and iat are required", cause);
  }
  if (claim === "nbf" || claim === "iat") {
    return refuseToken(`its ${claim} is ${showTime(payload[claim])}, which is yet to come`, REMEDY_CLOCK, cause);
  }
  return refuseToken(`its claim ${claim} is not valid`, REMEDY_MALFORMED, cause);
}

export function refuseAudience(actual: unknown, expected: readonly string[], cause?: unknown): KeyServiceError {
  return refuseToken(
    `its audience is ${showClaim(actual)}, expected ${expected.map((each) => `"${each}"`).join(" or ")}`,
    "ask the issuer for a token of that audience",
    cause,
  );
}

/** Seconds since the epoch, as RFC 3339. */
function showTime(seconds: unknown): string {
  const date = new Date(typeof seconds === "number" ? seconds * 1000 : Number.NaN);
  return Number.isNaN(date.getTime()) ? "no time" : date.toISOString().replace(".000Z", "Z");
}
