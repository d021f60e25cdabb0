import type { JWTPayload } from "jose";
import type { JwtCallerConfig } from "../../config/jwt-caller.ts";
import type { KeyServiceError } from "../../core/errors.ts";
import { type ClaimTest, compileClaims, findMisfit, showClaim } from "./claims.ts";
import type { KeySet } from "./key-set.ts";
import { refuseAudience, refuseToken } from "./refusals.ts";

/** Callers whose tokens the same keys verify, and what is common to them. */
export interface JwtIssuer {
  readonly issuer: string;
  readonly keys: KeySet;
  readonly callers: readonly JwtCaller[];
  /** Those that any of the callers takes, and the longest age; each caller's own are judged afterwards. */
  readonly algorithms: readonly string[];
  readonly audiences: readonly string[];
  readonly maxAgeS: number;
}

export interface JwtCaller {
  readonly name: string;
  readonly config: JwtCallerConfig;
  readonly claims: readonly ClaimTest[];
}

/** A token whose signature, issuer and times were verified. */
export interface SignedJwt {
  readonly algorithm: string;
  readonly payload: JWTPayload;
  readonly nowMs: number;
}

/** @param keysOf the same keys for the same issuer and place */
export function groupByIssuer(
  callers: ReadonlyMap<string, JwtCallerConfig>,
  keysOf: (config: JwtCallerConfig) => KeySet,
): readonly JwtIssuer[] {
  const groups = Map.groupBy(callers, ([, config]) => JSON.stringify([config.issuer, config.keys]));
  return [...groups.values()].flatMap((members) => {
    const configs = members.map(([, config]) => config);
    const [first] = configs;
    if (first === undefined) return [];
    return {
      issuer: first.issuer,
      keys: keysOf(first),
      callers: members.map(([name, config]) => ({ name, config, claims: compileClaims(config.claims) })),
      algorithms: [...new Set(configs.flatMap(({ algorithms }) => algorithms))],
      audiences: [...new Set(configs.map(({ audience }) => audience))],
      maxAgeS: Math.max(...configs.map(({ maxAgeMs }) => maxAgeMs)) / 1000,
    };
  });
}

/** Why a caller's tokens are not like this one; undefined where they are. */
interface Mismatch {
  /** How much did fit before. */
  readonly fitting: number;
  readonly refusal: () => KeyServiceError;
}

export interface FittingCallers {
  readonly names: readonly string[];
  /** When the first of them stops taking it; wall clock. */
  readonly expiresAtMs: number;
}

/** The callers that a token speaks for. @throws KeyServiceError `caller_unauthenticated` where there is none */
export function findCallers({ callers }: JwtIssuer, jwt: SignedJwt): FittingCallers {
  const judged = callers.map((caller) => ({ caller, mismatch: findMismatch(caller, jwt) }));
  const fitting = judged.filter(({ mismatch }) => mismatch === undefined).map(({ caller }) => caller);
  if (fitting.length > 0) {
    return {
      names: fitting.map(({ name }) => name),
      expiresAtMs: Math.min(...fitting.map((caller) => endOf(caller, jwt.payload))),
    };
  }
  const [nearest] = judged
    .flatMap(({ mismatch }) => mismatch ?? [])
    .toSorted((one, other) => other.fitting - one.fitting);
  throw nearest?.refusal() ?? refuseToken("no caller of the config is of its issuer", "name the issuer under callers");
}

function findMismatch(caller: JwtCaller, { algorithm, payload, nowMs }: SignedJwt): Mismatch | undefined {
  const { algorithms, audience, maxAgeMs } = caller.config;
  if (!algorithms.some((each) => each === algorithm)) {
    return { fitting: 0, refusal: () => refuseAlgorithm(algorithm, algorithms) };
  }
  const audiences: readonly unknown[] = Array.isArray(payload.aud) ? payload.aud : [payload.aud];
  if (!audiences.includes(audience)) return { fitting: 1, refusal: () => refuseAudience(payload.aud, [audience]) };
  if (nowMs >= endOf(caller, payload) + SKEW_MS) return { fitting: 2, refusal: () => refuseAge(caller, maxAgeMs) };
  const claim = findMisfit(caller.claims, payload);
  return claim === undefined ? undefined : { fitting: 3, refusal: () => refuseClaim(caller, claim, payload) };
}

/** How far the issuer's clock and ours may be apart. */
export const SKEW_MS = 30_000;

/** Both are there: whoever calls has had them checked. */
function endOf({ config }: JwtCaller, { exp = 0, iat = 0 }: JWTPayload): number {
  return Math.min(exp * 1000, iat * 1000 + config.maxAgeMs);
}

export function refuseAlgorithm(algorithm: string, expected: readonly string[]): KeyServiceError {
  const shown = /^[A-Za-z0-9-]{1,20}$/.test(algorithm) ? algorithm : "an unknown algorithm";
  return refuseToken(
    `it is signed by ${shown}, expected ${expected.join(" or ")}`,
    "have the issuer sign with one of these, or name its algorithm under the caller's jwt in the config",
  );
}

function refuseAge({ name }: JwtCaller, maxAgeMs: number): KeyServiceError {
  return refuseToken(
    `it was issued more than ${maxAgeMs / 1000} s ago, the maxAge of caller ${name}`,
    "have the issuer give a new one",
  );
}

function refuseClaim({ name }: JwtCaller, claim: string, payload: JWTPayload): KeyServiceError {
  const value = Object.hasOwn(payload, claim) ? payload[claim] : undefined;
  return refuseToken(
    `it fits no caller of the config: for ${name}, the nearest, its claim ${claim} is ${showClaim(value)}`,
    `if it is meant to have access, add the value to claims of a caller in the config of sops-keyd`,
  );
}
