import type { JwtCallerConfig } from "../../config/jwt-caller.ts";
import type { CallerToken } from "../../core/caller-token.ts";
import type { Clock } from "../../core/clock.ts";
import { KeyServiceError } from "../../core/errors.ts";
import type { Secret } from "../../core/secret.ts";
import type { JwtProof } from "../caller.ts";
import { showClaim } from "./claims.ts";
import type { CreateGet, IssuerKeys } from "./issuer-keys.ts";
import { findCallers, groupByIssuer, type JwtIssuer, refuseAlgorithm, SKEW_MS } from "./jwt-callers.ts";
import type { HeldKeys } from "./key-set.ts";
import { describeJoseError, REMEDY_MALFORMED, refuseToken } from "./refusals.ts";
import { MAX_TOKEN_LENGTH, readUnverifiedJwt, type UnverifiedJwt } from "./unverified-jwt.ts";
import { createVerifiedTokens, identifyToken } from "./verified-tokens.ts";

/** What a token proves. */
export interface VerifiedJwt {
  /** Names at least one caller. */
  readonly proof: JwtProof;
  readonly token: CallerToken;
}

/**
 * Who is calling, by the JWT that the call brings along.
 *
 * @throws KeyServiceError `caller_unauthenticated` for a token that proves nothing, `issuer_unavailable` where the keys
 * to verify it by cannot be had, or the signal's reason
 */
export type VerifyJwt = (token: Secret, signal: AbortSignal) => Promise<VerifiedJwt>;

export interface JwtVerifierOptions {
  readonly clock: Clock;
  readonly issuerKeys: IssuerKeys;
  readonly createGet: CreateGet;
  /** For what an operator should know and no call fails of. */
  readonly warn: (message: string) => void;
}

/**
 * Verifies the JWTs of the configured callers. Nothing is loaded and no issuer is asked before the first token comes.
 *
 * @param callers by name
 */
export function createJwtVerifier(
  callers: ReadonlyMap<string, JwtCallerConfig>,
  options: JwtVerifierOptions,
): VerifyJwt {
  const { clock, issuerKeys, createGet, warn } = options;
  const issuers = groupByIssuer(callers, (config) => issuerKeys.keysOf(config, createGet, warn));
  const verified = createVerifiedTokens(clock);

  return async (token, signal) => {
    const text = token.reveal();
    // Before it is hashed, let alone decoded.
    if (text.length > MAX_TOKEN_LENGTH) throw refuseToken(tooLong(text.length), REMEDY_MALFORMED);
    const id = identifyToken(text);
    const known = verified.get(id);
    if (known !== undefined) return known;
    const claimed = readUnverifiedJwt(text);
    if (typeof claimed === "string") throw refuseToken(claimed, REMEDY_MALFORMED);
    const { fitting, issuer, generation } = await verifyByAny(issuers, claimed, { token, id }, clock, signal);
    if (clock.nowMs() < fitting.token.expiresAtMs) {
      verified.add(id, fitting, () => issuer.keys.isCurrent(generation));
    }
    return fitting;
  };
}

interface Candidate {
  readonly token: Secret;
  readonly id: string;
}

interface Verification {
  readonly fitting: VerifiedJwt;
  readonly issuer: JwtIssuer;
  readonly generation: number;
}

/** One issuer's callers may have their keys from several places, though they hardly ever do. */
async function verifyByAny(
  issuers: readonly JwtIssuer[],
  claimed: UnverifiedJwt,
  candidate: Candidate,
  clock: Clock,
  signal: AbortSignal,
): Promise<Verification> {
  let refusal: unknown = refuseIssuer(claimed.issuer);
  for (const issuer of issuers.filter((each) => each.issuer === claimed.issuer)) {
    try {
      return await verifyBy(issuer, claimed, candidate, clock, signal);
    } catch (thrown) {
      refusal = thrown;
    }
  }
  throw refusal;
}

async function verifyBy(
  issuer: JwtIssuer,
  claimed: UnverifiedJwt,
  { token, id }: Candidate,
  clock: Clock,
  signal: AbortSignal,
): Promise<Verification> {
  if (!issuer.algorithms.includes(claimed.algorithm)) throw refuseAlgorithm(claimed.algorithm, issuer.algorithms);
  const { payload, generation } = await verifySignature(issuer, claimed, token, clock, signal);
  const { names, expiresAtMs } = findCallers(issuer, {
    algorithm: claimed.algorithm,
    payload,
    nowMs: clock.nowMs(),
  });
  const fitting: VerifiedJwt = {
    proof: { kind: "jwt", issuer: issuer.issuer, subject: payload.sub, callers: names },
    token: { text: token, id, expiresAtMs },
  };
  return { fitting, issuer, generation };
}

async function verifySignature(
  issuer: JwtIssuer,
  claimed: UnverifiedJwt,
  token: Secret,
  clock: Clock,
  signal: AbortSignal,
) {
  const keys = await issuer.keys.get(signal);
  try {
    return await verifyWith(keys, issuer, token, clock);
  } catch (thrown) {
    const newer = isUnknownKey(thrown) ? await issuer.keys.getNewer(keys, signal) : undefined;
    if (newer === undefined) throw toRefusal(thrown, issuer, claimed, clock);
    return verifyWith(newer, issuer, token, clock).catch((again: unknown) => {
      throw toRefusal(again, issuer, claimed, clock);
    });
  }
}

async function verifyWith({ find, generation }: HeldKeys, issuer: JwtIssuer, token: Secret, clock: Clock) {
  const { jwtVerify } = await import("jose");
  const { payload } = await jwtVerify(token.reveal(), find, {
    algorithms: [...issuer.algorithms],
    issuer: issuer.issuer,
    audience: [...issuer.audiences],
    requiredClaims: ["exp", "iat"],
    maxTokenAge: issuer.maxAgeS,
    clockTolerance: SKEW_MS / 1000,
    currentDate: new Date(clock.nowMs()),
  });
  return { payload, generation };
}

function isUnknownKey(thrown: unknown): boolean {
  return thrown instanceof Error && "code" in thrown && thrown.code === "ERR_JWKS_NO_MATCHING_KEY";
}

function toRefusal(thrown: unknown, { issuer, audiences }: JwtIssuer, { keyId }: UnverifiedJwt, clock: Clock) {
  return (
    describeJoseError(thrown, { audiences, nowMs: clock.nowMs() }, keyId) ??
    new KeyServiceError("issuer_unavailable", {
      problem: `the key ${showClaim(keyId)} of issuer ${issuer} is not one that can be used`,
      remedy: "see that the issuer publishes whole public keys, RSA of 2048 bits at least, and no private ones",
      cause: thrown,
    })
  );
}

function refuseIssuer(issuer: string): KeyServiceError {
  return new KeyServiceError("caller_unauthenticated", {
    problem: `the caller's token is refused: no caller of the config is of its issuer, ${showClaim(issuer)}`,
    remedy: "name the issuer under callers in the config, exactly as the token has it, or use another token",
  });
}

function tooLong(length: number): string {
  return `it has ${length} characters, more than ${MAX_TOKEN_LENGTH}`;
}
