import { Secret } from "../../src/core/secret.ts";
import type { HeldToken, TokenHolder } from "../../src/credentials/token.ts";

export interface FakeTokenHolder extends TokenHolder {
  /** Generations that were reported as refused, in order. */
  readonly invalidated: readonly number[];
}

/** Tokens `token-1`, `token-2` …: a new one after each refusal. */
export function createFakeTokenHolder(principal = "robot@project.iam.gserviceaccount.com"): FakeTokenHolder {
  const invalidated: number[] = [];
  let generation = 1;
  return {
    name: "fake",
    invalidated,
    getToken(): Promise<HeldToken> {
      const accessToken = new Secret(`token-${generation}`);
      return Promise.resolve({ accessToken, expiresAtMs: Number.MAX_SAFE_INTEGER, principal, steps: [], generation });
    },
    invalidate(refused) {
      invalidated.push(refused);
      if (refused === generation) generation += 1;
    },
  };
}
