import { createHash, randomBytes } from "node:crypto";
import type { Clock } from "../core/clock.ts";

export const CLOUD_PLATFORM_SCOPE = "https://www.googleapis.com/auth/cloud-platform";
export const CLOUD_KMS_SCOPE = "https://www.googleapis.com/auth/cloudkms";
export const IAM_SCOPE = "https://www.googleapis.com/auth/iam";

/** What a token stands for. */
export interface Grant {
  readonly principal: string;
  readonly scopes: readonly string[];
  /** Wall clock. */
  readonly expiresAtMs: number;
}

export interface IssuedToken {
  readonly token: string;
  readonly expiresAtMs: number;
}

/** Which endpoint issued it: stands in the token, so that a person can tell them apart. */
export type TokenKind = "oauth" | "sts" | "gdch" | "iam" | "metadata" | "static";

/** Every token that the emulator has issued or admitted, also those that are no longer valid. */
export interface TokenRegistry {
  issue(kind: TokenKind, principal: string, scopes: readonly string[], lifetimeMs: number): IssuedToken;
  /** Remembers a token that somebody else made and that was verified. */
  admit(token: string, grant: Grant): void;
  /** Undefined for unknown tokens; expired ones are found, and say so. */
  find(token: string): Grant | undefined;
  /** Ends all tokens, or all of one principal; returns how many were still valid. */
  expire(principal?: string): number;
}

/** Benches make many; the oldest go first. */
const MAX_TOKENS = 50_000;

export function createTokenRegistry(clock: Clock): TokenRegistry {
  const grants = new Map<string, Grant>();
  const admit = (token: string, grant: Grant): void => {
    grants.set(digest(token), grant);
    const [oldest] = grants.keys();
    if (grants.size > MAX_TOKENS && oldest !== undefined) grants.delete(oldest);
  };
  return {
    admit,
    issue(kind, principal, scopes, lifetimeMs) {
      const token = `emulated.${kind}.${randomBytes(32).toString("base64url")}`;
      const expiresAtMs = clock.nowMs() + lifetimeMs;
      admit(token, { principal, scopes, expiresAtMs });
      return { token, expiresAtMs };
    },
    find: (token) => grants.get(digest(token)),
    expire(principal) {
      const nowMs = clock.nowMs();
      let ended = 0;
      for (const [key, grant] of grants) {
        if (grant.expiresAtMs <= nowMs || (principal !== undefined && grant.principal !== principal)) continue;
        grants.set(key, { ...grant, expiresAtMs: nowMs });
        ended++;
      }
      return ended;
    },
  };
}

function digest(token: string): string {
  return createHash("sha256").update(token).digest("base64url");
}
