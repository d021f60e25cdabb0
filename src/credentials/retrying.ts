import type { Clock } from "../core/clock.ts";
import { delay } from "../core/deadline.ts";
import { KeyServiceError } from "../core/errors.ts";
import type { TokenSource } from "./token.ts";

export interface RetryingOptions {
  readonly clock: Clock;
  /** From 0 up to 1, as `Math.random`. */
  readonly random?: () => number;
}

/** Longest waits before the second and the third attempt; each is drawn from zero up to this. */
const WAITS_MS = [250, 1000] as const;

/**
 * Tries again, twice and soon, where that may help: with no token at all, a single lost packet or 503 would
 * otherwise fail a `sops decrypt`, which does not try again.
 */
export function createRetrying(source: TokenSource, { clock, random = Math.random }: RetryingOptions): TokenSource {
  return {
    name: source.name,
    async fetchToken(signal) {
      for (const waitMs of WAITS_MS) {
        try {
          return await source.fetchToken(signal);
        } catch (error) {
          if (!(error instanceof KeyServiceError) || error.code !== "credential_unavailable") throw error;
          await delay(clock, waitMs * random(), signal);
        }
      }
      return source.fetchToken(signal);
    },
  };
}
