import type { KeyObject } from "node:crypto";
import { decodeJwt, decodeProtectedHeader, errors, type JWTPayload, jwtVerify } from "jose";
import type { Clock } from "../core/clock.ts";
import type { Identities, ServiceAccount } from "./identities.ts";

export interface VerifiedJwt {
  readonly email: string;
  readonly payload: JWTPayload;
}

/** Why a JWT of a service account was refused, in the words of Google's token endpoint. */
export type JwtProblem = "account" | "signature" | "timeframe" | "audience" | "subject" | "malformed";

export interface JwtRefused {
  readonly problem: JwtProblem;
}

// Google: "The maximum value of exp is one hour after iat."
// https://developers.google.com/identity/protocols/oauth2/service-account#jwt-auth
const MAX_LIFETIME_S = 3600;
const CLOCK_SKEW_S = 60;

/** Verifies what a service account signed: signature by a registered key, times, subject; and the audience if given. */
export async function verifyServiceAccountJwt(
  jwt: string,
  identities: Identities,
  clock: Clock,
  audience: readonly string[] | undefined,
): Promise<VerifiedJwt | JwtRefused> {
  const claimed = decode(jwt);
  if (claimed === undefined) return { problem: "malformed" };
  const account = identities.serviceAccounts.get(claimed.payload.iss ?? "");
  if (account === undefined) return { problem: "account" };
  const keys = candidateKeys(account, claimed.keyId);
  let refusal: JwtRefused = { problem: "signature" };
  for (const key of keys) {
    const outcome = await verifyWith(jwt, key, account.email, clock, audience);
    if (!("problem" in outcome)) return outcome;
    refusal = outcome;
    if (outcome.problem !== "signature") break;
  }
  return refusal;
}

/** Like Google, takes a missing key id and tries every key: google-auth-library's OAuth grant sends none. */
function candidateKeys(account: ServiceAccount, keyId: string | undefined): readonly KeyObject[] {
  if (keyId === undefined) return [...account.keys.values()];
  const named = account.keys.get(keyId);
  return named === undefined ? [] : [named];
}

async function verifyWith(
  jwt: string,
  key: KeyObject,
  email: string,
  clock: Clock,
  audience: readonly string[] | undefined,
): Promise<VerifiedJwt | JwtRefused> {
  try {
    const { payload } = await jwtVerify(jwt, key, {
      algorithms: ["RS256"],
      requiredClaims: ["iss", "iat", "exp"],
      currentDate: new Date(clock.nowMs()),
      ...(audience === undefined ? {} : { audience: [...audience] }),
    });
    return check(email, payload, clock);
  } catch (error) {
    return { problem: problemOf(error) };
  }
}

function check(email: string, payload: JWTPayload, clock: Clock): VerifiedJwt | JwtRefused {
  const { iat = 0, exp = 0, sub } = payload;
  const nowS = clock.nowMs() / 1000;
  if (exp - iat > MAX_LIFETIME_S || iat > nowS + CLOCK_SKEW_S) return { problem: "timeframe" };
  if (sub !== undefined && sub !== email) return { problem: "subject" };
  return { email, payload };
}

function decode(jwt: string): { payload: JWTPayload; keyId: string | undefined } | undefined {
  try {
    return { payload: decodeJwt(jwt), keyId: decodeProtectedHeader(jwt).kid };
  } catch {
    return undefined;
  }
}

function problemOf(error: unknown): JwtProblem {
  if (error instanceof errors.JWTExpired) return "timeframe";
  if (error instanceof errors.JWTClaimValidationFailed) return error.claim === "aud" ? "audience" : "timeframe";
  return error instanceof errors.JOSEError ? "signature" : "malformed";
}
