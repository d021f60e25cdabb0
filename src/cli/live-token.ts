import type { Clock } from "../core/clock.ts";
import { createDeadline } from "../core/deadline.ts";
import { type ErrorCode, type KeyServiceError, toKeyServiceError } from "../core/errors.ts";
import type { HeldToken, TokenHolder } from "../credentials/token.ts";

/** What may be shown of a token: everything but the token. */
export interface TokenFacts {
  /** Null where nothing says whose it is: an opaque token of somebody else's making. */
  readonly principal: string | null;
  /** RFC 3339. */
  readonly expiresAt: string;
  readonly expiresInSeconds: number;
  /** How it was come by, first step first; what a chain passed over, and why, comes before. */
  readonly steps: readonly string[];
}

/** Why something failed, as plain data. */
export interface FailureFacts {
  readonly code: ErrorCode;
  readonly problem: string;
  readonly remedy: string | null;
  readonly source: string | null;
  readonly principal: string | null;
}

/** @throws KeyServiceError as the holder, or `deadline_exceeded` */
export async function getTokenWithin(holder: TokenHolder, timeoutMs: number, clock: Clock): Promise<HeldToken> {
  using deadline = createDeadline(clock, timeoutMs, `no token came within ${timeoutMs / 1000} s`);
  try {
    return await holder.getToken(deadline.signal);
  } catch (thrown) {
    throw toKeyServiceError(thrown).within({ source: holder.name });
  }
}

export function describeToken(token: HeldToken, nowMs: number): TokenFacts {
  return {
    principal: token.principal ?? null,
    expiresAt: new Date(token.expiresAtMs).toISOString(),
    expiresInSeconds: Math.round((token.expiresAtMs - nowMs) / 1000),
    steps: token.steps,
  };
}

export function describeFailure({ code, detail }: KeyServiceError): FailureFacts {
  return {
    code,
    problem: detail.problem,
    remedy: detail.remedy ?? null,
    source: detail.source ?? null,
    principal: detail.principal ?? null,
  };
}

/** `1h 0m`, `59m 58s`, `8s` */
export function renderSeconds(seconds: number): string {
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor((seconds % 3600) / 60)];
  if (hours > 0) return `${hours}h ${minutes}m`;
  return minutes > 0 ? `${minutes}m ${seconds % 60}s` : `${seconds}s`;
}
