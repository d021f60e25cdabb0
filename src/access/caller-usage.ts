import type { CallerLimitConfig } from "../config/config.ts";
import type { Clock } from "../core/clock.ts";

/** What callers have used of their limits. Bounded, and of the process: a reload goes on counting. */
export interface CallerUsage {
  /** How many are counted. */
  readonly size: number;
  /** What is counted under this name. */
  of(countedAs: string): Usage;
}

export interface Usage {
  readonly inFlight: number;
  /** Milliseconds until the next call fits the rate; 0 if now. */
  waitMs(limit: CallerLimitConfig): number;
  /** Counts a call that begins. */
  enter(limit: CallerLimitConfig): void;
  /** Counts a call that has ended. */
  leave(): void;
}

/** More are only met where callers without names come with that many uids. */
const MAX_COUNTED = 4096;
const OTHERS = "others";
/** Sums of fractions of a millisecond are a little off; a call must not be refused for that. */
const TOLERANCE_MS = 1e-6;

/**
 * A bucket of `burst` tokens that fills at `callsPerSecond`, for each name. A bucket is kept as the time when it is full
 * again, which needs neither a timer nor its rate: so a reload may change the rate at any time.
 */
export function createCallerUsage(clock: Clock, maxCounted: number = MAX_COUNTED): CallerUsage {
  const counted = new Map<string, BucketUsage>();

  /** The one that was not used for longest; where even that is in use, the newcomers share one. */
  function makeRoom(countedAs: string): string {
    if (counted.size < maxCounted) return countedAs;
    const [oldest] = counted;
    if (oldest === undefined || !oldest[1].isIdle()) return OTHERS;
    counted.delete(oldest[0]);
    return countedAs;
  }

  return {
    get size() {
      return counted.size;
    },
    of(countedAs) {
      const known = counted.get(countedAs);
      const name = known === undefined ? makeRoom(countedAs) : countedAs;
      const usage = known ?? counted.get(name) ?? createUsage(clock);
      // A map keeps the order of insertion: the first in it is the one that was not used for longest.
      counted.delete(name);
      counted.set(name, usage);
      return usage;
    },
  };
}

interface BucketUsage extends Usage {
  /** Whether forgetting it makes no difference. */
  isIdle(): boolean;
}

function createUsage(clock: Clock): BucketUsage {
  let inFlight = 0;
  /** Monotonic. */
  let fullAtMs = Number.NEGATIVE_INFINITY;
  return {
    get inFlight() {
      return inFlight;
    },
    waitMs({ callsPerSecond, burst }) {
      if (callsPerSecond === undefined) return 0;
      const missingMs = Math.max(0, fullAtMs - clock.monotonicMs());
      const waitMs = missingMs - ((burst - 1) * 1_000) / callsPerSecond;
      return waitMs > TOLERANCE_MS ? waitMs : 0;
    },
    enter({ callsPerSecond }) {
      inFlight += 1;
      if (callsPerSecond !== undefined) fullAtMs = Math.max(fullAtMs, clock.monotonicMs()) + 1_000 / callsPerSecond;
    },
    leave() {
      inFlight -= 1;
    },
    isIdle: () => inFlight === 0 && fullAtMs <= clock.monotonicMs(),
  };
}
