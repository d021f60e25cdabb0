import { MAX_TOKEN_LENGTH, readUnverifiedJwt } from "../access/jwt/unverified-jwt.ts";
import type { Environment } from "../config/environment.ts";
import type { Clock } from "../core/clock.ts";
import { KeyServiceError } from "../core/errors.ts";
import { Secret } from "../core/secret.ts";
import type { Token, TokenSource } from "../credentials/token.ts";

/** A JWT as some place holds it, and that place's name for messages. */
export interface FoundJwt {
  readonly text: string;
  readonly origin: string;
}

/** @throws KeyServiceError where there is none */
export type FindJwt = (signal: AbortSignal) => Promise<FoundJwt>;

/** What the ways to find a JWT need. */
export interface IdentitySurroundings {
  readonly environment: Environment;
  readonly clock: Clock;
  readonly warn: (message: string) => void;
}

/** A token that does not say when it ends is looked for anew after this. */
const UNKNOWN_LIFETIME_MS = 60_000;
/** Further from 1970 no Date can be: https://tc39.es/ecma262/#sec-time-values-and-time-range */
const MAX_DATE_MS = 8.64e15;

/**
 * Identity tokens (JWTs) for a server that asks who calls: found, checked for what can be seen without a key, and held by
 * `createRefreshing` until they are about to expire.
 */
export function createIdentityTokenSource(find: FindJwt, clock: Clock): TokenSource {
  return {
    name: "identity token",
    async fetchToken(signal): Promise<Token> {
      const { text, origin } = await find(signal);
      const token = text.trim();
      const jwt = readUnverifiedJwt(token);
      if (typeof jwt === "string") throw unusable(`the identity token of ${origin} cannot be used: ${jwt}`);
      const { expiresAtMs = clock.nowMs() + UNKNOWN_LIFETIME_MS } = jwt;
      if (Math.abs(expiresAtMs) > MAX_DATE_MS) {
        throw unusable(`the identity token of ${origin} cannot be used: its exp is no time`);
      }
      if (expiresAtMs <= clock.nowMs()) throw expired(origin, expiresAtMs);
      return { accessToken: new Secret(token), expiresAtMs, steps: [`identity token of ${origin}`] };
    },
  };
}

function unusable(problem: string): KeyServiceError {
  const remedy = `give a signed JWT of at most ${MAX_TOKEN_LENGTH} characters and nothing else`;
  return new KeyServiceError("credential_rejected", { problem, remedy });
}

function expired(origin: string, expiresAtMs: number): KeyServiceError {
  return new KeyServiceError("credential_rejected", {
    problem: `the identity token of ${origin} expired at ${new Date(expiresAtMs).toISOString()}`,
    remedy: "have it renewed there, or ask for one that lives as long as the job; check the clock of this machine",
  });
}
