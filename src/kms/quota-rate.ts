import type { Clock } from "../core/clock.ts";

/** A cut to this share of what went through finds the quota from above within a few cuts. */
const CUT = 0.7;
/** One cut for all the refusals of one burst. */
const CUT_INTERVAL_MS = 1_000;
const MIN_PER_SECOND = 1;
/** What a limit grows by in a second in which nothing was refused: a twentieth of itself, and a call. */
const GROWTH_SHARE = 0.05;
const GROWTH_STEP = 1;
/** A quota that refused nothing for so long limits nobody any more. Quotas count by the minute. */
const FORGET_AFTER_MS = 60_000;

/** How many calls a second a quota seems to allow: found out from its refusals, never configured. */
export interface QuotaRate {
  /** Undefined while nothing is limited. */
  readonly perSecond: number | undefined;
  /** Takes the right to send one request now, if there is one. */
  take(): boolean;
  /** Milliseconds until the next one may be sent; 0 if now. */
  waitMs(): number;
  succeeded(): void;
  /** @param retryAfterMs what Cloud KMS asks us to wait */
  throttled(retryAfterMs: number | undefined): void;
}

interface Limit {
  perSecond: number;
  /** Monotonic; when the next request may be sent. */
  nextAtMs: number;
  grownAtMs: number;
  cutAtMs: number;
  throttledAtMs: number;
}

/** Additive increase, multiplicative decrease, as TCP finds what a link carries. */
export function createQuotaRate(clock: Clock): QuotaRate {
  let limit: Limit | undefined;
  const throughput = createThroughput(clock);

  function current(): Limit | undefined {
    if (limit === undefined) return undefined;
    const nowMs = clock.monotonicMs();
    if (nowMs - limit.throttledAtMs > FORGET_AFTER_MS) {
      limit = undefined;
      return undefined;
    }
    const seconds = (nowMs - limit.grownAtMs) / 1_000;
    if (seconds >= 1) {
      limit.perSecond += seconds * (limit.perSecond * GROWTH_SHARE + GROWTH_STEP);
      limit.grownAtMs = nowMs;
    }
    return limit;
  }

  return {
    get perSecond() {
      return current()?.perSecond;
    },
    take() {
      const found = current();
      if (found === undefined) return true;
      const nowMs = clock.monotonicMs();
      if (nowMs < found.nextAtMs) return false;
      found.nextAtMs = Math.max(found.nextAtMs, nowMs - 1_000 / found.perSecond) + 1_000 / found.perSecond;
      return true;
    },
    waitMs: () => Math.max(0, (current()?.nextAtMs ?? 0) - clock.monotonicMs()),
    succeeded: () => throughput.count(),
    throttled(retryAfterMs = 0) {
      const nowMs = clock.monotonicMs();
      const found = current();
      const cut = found === undefined || nowMs - found.cutAtMs >= CUT_INTERVAL_MS;
      const before = Math.min(found?.perSecond ?? Number.POSITIVE_INFINITY, throughput.perSecond());
      const perSecond = cut ? Math.max(MIN_PER_SECOND, before * CUT) : found.perSecond;
      limit = {
        perSecond,
        nextAtMs: Math.max(found?.nextAtMs ?? 0, nowMs + Math.max(retryAfterMs, 1_000 / perSecond)),
        grownAtMs: nowMs,
        cutAtMs: cut ? nowMs : found.cutAtMs,
        throttledAtMs: nowMs,
      };
    },
  };
}

/** How many calls succeeded in a second, lately: the last full second or the running one, whichever saw more. */
function createThroughput(clock: Clock): { count(): void; perSecond(): number } {
  let second = 0;
  let running = 0;
  let last = 0;
  const turn = () => {
    const now = Math.floor(clock.monotonicMs() / 1_000);
    if (now === second) return;
    last = now === second + 1 ? running : 0;
    running = 0;
    second = now;
  };
  return {
    count() {
      turn();
      running += 1;
    },
    perSecond() {
      turn();
      return Math.max(last, running);
    },
  };
}
