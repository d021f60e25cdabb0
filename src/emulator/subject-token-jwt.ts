import { decodeJwt, errors, jwtVerify } from "jose";
import type { Clock } from "../core/clock.ts";
import type { Identities, SubjectTokenIssuer } from "./identities.ts";
import { oauthRefusal } from "./refusals.ts";

/** The subject of a JWT that a registered issuer signed for this provider. @throws Refusal */
export async function verifyJwt(
  token: string,
  provider: string,
  identities: Identities,
  clock: Clock,
): Promise<string> {
  const issuer = identities.issuers.get(claimedIssuer(token));
  if (issuer === undefined) {
    throw oauthRefusal("invalid_grant", "The issuer in the subject token does not match that of any provider.");
  }
  return verifyWith(issuer, token, provider, clock);
}

async function verifyWith(
  { issuer, findKey, audiences }: SubjectTokenIssuer,
  token: string,
  provider: string,
  clock: Clock,
): Promise<string> {
  try {
    const { payload } = await jwtVerify(token, findKey, {
      algorithms: ["RS256", "ES256"],
      issuer,
      audience: [...(audiences ?? [`https:${provider}`, provider])],
      requiredClaims: ["sub", "iat", "exp"],
      currentDate: new Date(clock.nowMs()),
    });
    return String(payload.sub);
  } catch (error) {
    throw oauthRefusal("invalid_grant", describe(error));
  }
}

function describe(error: unknown): string {
  if (error instanceof errors.JWTExpired) return "The subject token is stale: its exp lies in the past.";
  if (error instanceof errors.JWTClaimValidationFailed) {
    return `The ${error.claim} claim of the subject token is missing or not the one expected.`;
  }
  return "Error connecting the subject token to the given credential's issuer: its signature could not be verified.";
}

function claimedIssuer(token: string): string {
  try {
    return decodeJwt(token).iss ?? "";
  } catch {
    return "";
  }
}
