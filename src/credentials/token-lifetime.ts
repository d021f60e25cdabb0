import type { Clock } from "../core/clock.ts";
import { KeyServiceError } from "../core/errors.ts";

/** A reading of both clocks at one moment. */
export interface Instant {
  readonly wallMs: number;
  readonly monotonicMs: number;
}

/** When a token stops being valid, by both clocks, and how long before that it is to be refreshed. */
export interface TokenLifetime {
  readonly expiresAtWallMs: number;
  readonly expiresAtMonotonicMs: number;
  readonly refreshLeadMs: number;
}

/** `fresh`: serve. `stale`: serve, and refresh in the background. `invalid`: serve to nobody. */
export type TokenState = "fresh" | "stale" | "invalid";

/**
 * A token with less life than this left is not handed out: it could expire on its way through a connection's queue
 * to Cloud KMS.
 */
export const SERVE_SKEW_MS = 5000;

/** A new token that lives shorter is refused: it would be over before it could be used and replaced. */
export const MIN_LIFETIME_MS: number = 2 * SERVE_SKEW_MS;

/** Service account tokens live for 12 hours at most (`lifetimeExtension`); what lives longer was misread. */
export const MAX_LIFETIME_MS: number = 13 * 60 * 60 * 1000;

/**
 * How long before expiry a refresh begins, at most. Not earlier: the metadata server hands out the same token until
 * four minutes before its end, so that asking earlier gets nothing new.
 * https://cloud.google.com/compute/docs/access/authenticate-workloads#applications
 */
export const MAX_REFRESH_LEAD_MS = 225_000;

/** Tokens with short lives are refreshed when this share of what can be used of them is left. */
const REFRESH_SHARE = 0.25;

export function readInstant(clock: Clock): Instant {
  return { wallMs: clock.nowMs(), monotonicMs: clock.monotonicMs() };
}

/**
 * The lifetime of a token that was asked for at `requested` and came at `received`.
 *
 * Where the clocks disagree about how long that took, the wall clock jumped or the machine slept meanwhile, and
 * `expiresAtMs` may be off by as much: the disagreement is taken off the token's life.
 *
 * @param random from 0 up to 1: spreads the refreshes of a fleet that got its tokens at the same moment
 * @throws KeyServiceError `credential_rejected` for an expiry that makes no sense, `credential_unavailable` for one
 * that is over already
 */
export function computeLifetime(
  expiresAtMs: number,
  requested: Instant,
  received: Instant,
  random: number,
): TokenLifetime {
  const elapsedWallMs = received.wallMs - requested.wallMs;
  const elapsedMonotonicMs = received.monotonicMs - requested.monotonicMs;
  const doubtMs = Math.abs(elapsedWallMs - elapsedMonotonicMs);
  const lifeMs = expiresAtMs - received.wallMs - doubtMs;
  refuseAbsurdLife(lifeMs);
  const spread = 0.5 + 0.5 * random;
  const windowMs = Math.min(MAX_REFRESH_LEAD_MS - SERVE_SKEW_MS, REFRESH_SHARE * (lifeMs - SERVE_SKEW_MS));
  return {
    expiresAtWallMs: received.wallMs + lifeMs,
    expiresAtMonotonicMs: received.monotonicMs + lifeMs,
    refreshLeadMs: SERVE_SKEW_MS + windowMs * spread,
  };
}

/**
 * The wall clock alone is not enough (set back by an hour, it revives dead tokens), nor is the monotonic one (it
 * stands still while the machine sleeps): whichever says that less is left is believed.
 */
export function stateOf(lifetime: TokenLifetime, now: Instant): TokenState {
  const leftMs = Math.min(lifetime.expiresAtWallMs - now.wallMs, lifetime.expiresAtMonotonicMs - now.monotonicMs);
  if (leftMs < SERVE_SKEW_MS) return "invalid";
  return leftMs <= lifetime.refreshLeadMs ? "stale" : "fresh";
}

function refuseAbsurdLife(lifeMs: number): void {
  if (!Number.isFinite(lifeMs)) {
    throw new KeyServiceError("credential_rejected", {
      problem: "the token came without a usable expiry",
      remedy: "see what issued it: an expiry is needed to know when to ask for the next",
    });
  }
  if (lifeMs > MAX_LIFETIME_MS) {
    throw new KeyServiceError("credential_rejected", {
      problem: `the token claims to be valid for ${Math.round(lifeMs / 3_600_000)} hours, longer than any that Google issues`,
      remedy: "check the clock of this machine and what issued the token",
    });
  }
  if (lifeMs < MIN_LIFETIME_MS) {
    throw new KeyServiceError("credential_unavailable", {
      problem:
        lifeMs <= 0
          ? "the token was expired when it came"
          : `the token had only ${Math.floor(lifeMs / 1000)} seconds to live when it came`,
      remedy: "check the clock of this machine",
    });
  }
}
