import type { Clock } from "../core/clock.ts";
import type { CryptoKeyName } from "../routing/resource-name.ts";
import { createQuotaLimiter, type QuotaEvent, type QuotaLimiter } from "./quota-limiter.ts";

/** One limiter for each quota, whatever rules share it. */
export interface QuotaLimiters {
  /** @param quotaProject the project that pays; undefined: that of the key */
  limiterFor(key: CryptoKeyName, quotaProject: string | undefined): QuotaLimiter;
}

/** Callers choose the names of keys: what they may make us remember has a bound. */
const MAX_LIMITERS = 1_000;

export function createQuotaLimiters(clock: Clock, report: (event: QuotaEvent) => void): QuotaLimiters {
  const limiters = new Map<string, QuotaLimiter>();

  /** Forgets one that limits nothing; where all of them do, the oldest, whose waiting calls go on by themselves. */
  function makeRoom(): void {
    if (limiters.size < MAX_LIMITERS) return;
    for (const [name, limiter] of limiters) {
      if (!limiter.isIdle) continue;
      limiters.delete(name);
      return;
    }
    const [oldest] = limiters.keys();
    if (oldest !== undefined) limiters.delete(oldest);
  }

  return {
    limiterFor(key, quotaProject) {
      const [, ofKey = "", , location = ""] = key.split("/", 4);
      const project = quotaProject ?? ofKey;
      const name = `${project}/${location}`;
      const known = limiters.get(name);
      if (known !== undefined) return known;
      makeRoom();
      const limiter = createQuotaLimiter({ project, location }, clock, report);
      limiters.set(name, limiter);
      return limiter;
    },
  };
}
