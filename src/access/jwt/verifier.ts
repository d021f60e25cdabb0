import type { JwtCallerConfig } from "../../config/jwt-caller.ts";
import type { CallerToken } from "../../core/caller-token.ts";
import type { Clock } from "../../core/clock.ts";
import { KeyServiceError } from "../../core/errors.ts";
import type { Secret } from "../../core/secret.ts";
import type { JwtProof } from "../caller.ts";
import { showClaim } from "./claims.ts";
import { findCallers, groupByIssuer, type JwtIssuer, refuseAlgorithm, SKEW_MS } from "./jwt-callers.ts";
import { createKeySet, type HeldKeys, type KeySet } from "./key-set.ts";
import { createDiscoveryLoader, createFileLoader, type GetDocument } from "./load-keys.ts";
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
  /** @param caFile PEM file with CAs that are trusted besides the system's */
  readonly createGet: (caFile: string | undefined) => GetDocument;
  /** For what an operator should know and no call fails of. */
  readonly warn: (message: string) => void;
}

/** The rhythm of an issuer's keys, after RFC 7517's usual caches, and of a file, which costs nothing to read. */
const DISCOVERY_TIMES = { freshMs: 10 * 60_000, coolDownMs: 30_000, serveStale: true };
const FILE_TIMES = { freshMs: 1_000, coolDownMs: 1_000, serveStale: false };

/**
 * Verifies the JWTs of the configured callers. Nothing is loaded and no issuer is asked before the first token comes.
 *
 * @param callers by name
 */
export function createJwtVerifier(
  callers: ReadonlyMap<string, JwtCallerConfig>,
  options: JwtVerifierOptions,
): VerifyJwt {
  const { clock } = options;
  const issuers = groupByIssuer(callers, (config) => createKeys(config, options));
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

function createKeys({ issuer, keys }: JwtCallerConfig, { clock, createGet, warn }: JwtVerifierOptions): KeySet {
  const name = `issuer ${issuer}`;
  if (keys.kind === "file")
    return createKeySet({ name, load: createFileLoader(keys.path), clock, warn, ...FILE_TIMES });
  const load = createDiscoveryLoader(issuer, keys.tokenFile, createGet(keys.caFile));
  return createKeySet({ name, load, clock, warn, ...DISCOVERY_TIMES });
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

function toRefusal(thrown: unknown, { audiences }: JwtIssuer, { keyId }: UnverifiedJwt, clock: Clock): unknown {
  return describeJoseError(thrown, { audiences, nowMs: clock.nowMs() }, keyId) ?? thrown;
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
