import type { CallerToken } from "../core/caller-token.ts";
import type { Clock } from "../core/clock.ts";
import { KeyServiceError } from "../core/errors.ts";
import { RecentMap } from "../core/recent-map.ts";
import type { TokenHolder } from "./token.ts";

export interface PerCallerOptions {
  readonly clock: Clock;
  /** For calls that bring no token of their own. */
  readonly withoutToken: TokenHolder;
  /** Makes the holder of one caller's tokens. */
  readonly create: (token: CallerToken) => TokenHolder;
}

/** A holder whose tokens depend on who calls. */
export interface PerCallerHolder extends TokenHolder {
  readonly forCaller: (token: CallerToken | undefined) => TokenHolder;
  /** Forgets every caller. */
  clear(): void;
}

/** More callers than this at a time take each other's place, and are exchanged anew when they come back. */
export const MAX_CALLERS = 1_000;
/** An expired token is of no use to anybody: it is not asked for again, and does not wait for its place to be taken. */
const SWEEP_MS = 60_000;

/**
 * One holder for each token that callers bring. Whoever brings another token, be it of the same subject, gets another
 * holder: what Google lets a token do may depend on every claim of it.
 *
 * Bounded: the caller that was not heard of the longest goes first, and those whose tokens have expired go within a
 * minute. A call in flight keeps its holder.
 */
export function createPerCaller({ clock, withoutToken, create }: PerCallerOptions): PerCallerHolder {
  const entries = new RecentMap<string, { readonly holder: TokenHolder; readonly expiresAtMs: number }>(MAX_CALLERS);
  let cancelSweep: (() => void) | undefined;

  const sweep = () => {
    cancelSweep = undefined;
    const nowMs = clock.nowMs();
    for (const [id, { expiresAtMs }] of entries) if (expiresAtMs <= nowMs) entries.delete(id);
    scheduleSweep();
  };
  const scheduleSweep = () => {
    if (entries.size > 0) cancelSweep ??= clock.schedule(SWEEP_MS, sweep);
  };
  const add = (token: CallerToken): TokenHolder => {
    const holder = create(token);
    entries.set(token.id, { holder, expiresAtMs: token.expiresAtMs });
    scheduleSweep();
    return holder;
  };

  return {
    name: withoutToken.name,
    getToken: (signal) => withoutToken.getToken(signal),
    invalidate: (generation) => withoutToken.invalidate(generation),
    forCaller(token) {
      if (token === undefined) return withoutToken;
      const entry = entries.get(token.id);
      if (entry === undefined) return add(token);
      entries.set(token.id, entry);
      return entry.holder;
    },
    clear() {
      entries.clear();
      cancelSweep?.();
      cancelSweep = undefined;
    },
  };
}

/** Has nothing to offer to a call that brings no token; so a chain asks its next member. */
export function createTokenless(name: string): TokenHolder {
  return {
    name,
    getToken: () =>
      Promise.reject(
        new KeyServiceError("credential_missing", {
          source: name,
          problem: "this token source exchanges the caller's own token, and the call brings none",
          remedy: "send a JWT along, as sops-keyd connect does, and name its issuer under callers in the config",
        }),
      ),
    invalidate() {},
  };
}
