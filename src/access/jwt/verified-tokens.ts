import { createHash } from "node:crypto";
import type { Clock } from "../../core/clock.ts";
import { RecentMap } from "../../core/recent-map.ts";
import type { VerifiedJwt } from "./verifier.ts";

/**
 * Tokens that were verified, by the SHA-256 of their text: a client sends the same one with each call, and a signature
 * costs as much to verify as a call to serve. Bounded; the one that was not asked for the longest goes first.
 */
export interface VerifiedTokens {
  /** Undefined where it is not known, has expired, or its issuer's keys have changed since. */
  get(id: string): VerifiedJwt | undefined;
  /** @param isCurrent whether the keys that it was verified by are still in force */
  add(id: string, verified: VerifiedJwt, isCurrent: () => boolean): void;
}

interface Entry {
  readonly verified: VerifiedJwt;
  readonly isCurrent: () => boolean;
}

/** Some kilobytes each, and more callers than a server has at a time. */
export const MAX_VERIFIED_TOKENS = 1_000;

export function createVerifiedTokens(clock: Clock): VerifiedTokens {
  const entries = new RecentMap<string, Entry>(MAX_VERIFIED_TOKENS);
  return {
    get(id) {
      const entry = entries.get(id);
      if (entry === undefined) return undefined;
      if (clock.nowMs() < entry.verified.token.expiresAtMs && entry.isCurrent()) {
        entries.set(id, entry);
        return entry.verified;
      }
      entries.delete(id);
      return undefined;
    },
    add(id, verified, isCurrent) {
      const nowMs = clock.nowMs();
      // Their text is in there: it is not to stay longer than it is of use.
      for (const [known, entry] of entries) if (nowMs >= entry.verified.token.expiresAtMs) entries.delete(known);
      entries.set(id, { verified, isCurrent });
    },
  };
}

/** The name of a token that is safe to keep: who has it cannot make the token of it. */
export function identifyToken(text: string): string {
  return createHash("sha256").update(text).digest("base64url");
}
