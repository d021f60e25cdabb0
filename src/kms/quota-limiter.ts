import type { Clock } from "../core/clock.ts";
import { abortReason } from "../core/deadline.ts";
import { KeyServiceError } from "../core/errors.ts";
import { createFairQueue } from "./fair-queue.ts";
import { createQuotaRate } from "./quota-rate.ts";

/** What shares a quota: Cloud KMS counts calls by the project that pays and the key's location. */
export interface Quota {
  readonly project: string;
  readonly location: string;
}

/** Paces the calls that share a quota, once Cloud KMS has refused one of them with 429. */
export interface QuotaLimiter {
  /**
   * Resolves when a request may be sent; undefined where it may be at once, which is nearly always.
   *
   * @param rule whose turn it is: rules that wait are served in rotation
   * @throws KeyServiceError `kms_throttled` where it would wait too long; the promise rejects so where a rule of which
   * fewer calls wait needs its place
   */
  admit(rule: string, signal: AbortSignal): Promise<void> | undefined;
  succeeded(): void;
  throttled(retryAfterMs: number | undefined): void;
  /** No call waits in it and nothing is limited: it can be forgotten. */
  readonly isIdle: boolean;
}

export interface QuotaEvent {
  readonly kind: "quota_limited";
  readonly quota: Quota;
  readonly callsPerSecond: number;
}

/** Who would have to wait longer is told at once: the call's own deadline is not far. */
const MAX_WAIT_SECONDS = 5;
const MAX_WAITING = 512;

interface Waiting {
  readonly start: () => void;
  readonly refuse: (error: KeyServiceError) => void;
}

export function createQuotaLimiter(quota: Quota, clock: Clock, report: (event: QuotaEvent) => void): QuotaLimiter {
  const rate = createQuotaRate(clock);
  const queue = createFairQueue<Waiting>();
  let cancelTimer: (() => void) | undefined;

  function scheduleNext(): void {
    if (cancelTimer !== undefined || queue.size === 0) return;
    cancelTimer = clock.schedule(rate.waitMs(), () => {
      cancelTimer = undefined;
      while (queue.size > 0 && rate.take()) queue.takeNext()?.start();
      scheduleNext();
    });
  }

  function wait(rule: string, signal: AbortSignal): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const onAbort = () => {
      queue.remove(rule, entry);
      if (queue.size === 0) {
        cancelTimer?.();
        cancelTimer = undefined;
      }
      reject(abortReason(signal));
    };
    const entry: Waiting = {
      start() {
        signal.removeEventListener("abort", onAbort);
        resolve();
      },
      refuse(error) {
        signal.removeEventListener("abort", onAbort);
        reject(error);
      },
    };
    signal.addEventListener("abort", onAbort, { once: true });
    queue.add(rule, entry);
    scheduleNext();
    return promise;
  }

  /** No more wait than can be sent in time; where that many do, the longest line gives way to a shorter one. */
  function makeRoom(rule: string): void {
    const { perSecond = MAX_WAITING } = rate;
    const room = Math.min(MAX_WAITING, Math.max(1, Math.floor(perSecond * MAX_WAIT_SECONDS)));
    const isLate = rate.waitMs() > MAX_WAIT_SECONDS * 1_000;
    if (!isLate && queue.size < room) return;
    const error = fullError(quota, perSecond);
    const displaced = isLate ? undefined : queue.giveWayTo(rule);
    if (displaced === undefined) throw error;
    displaced.refuse(error);
  }

  return {
    admit(rule, signal) {
      if (queue.size === 0 && rate.take()) return undefined;
      if (signal.aborted) return Promise.reject(abortReason(signal));
      makeRoom(rule);
      return wait(rule, signal);
    },
    succeeded: () => rate.succeeded(),
    throttled(retryAfterMs) {
      const wasLimited = rate.perSecond !== undefined;
      rate.throttled(retryAfterMs);
      if (!wasLimited) report({ kind: "quota_limited", quota, callsPerSecond: rate.perSecond ?? 0 });
    },
    get isIdle() {
      return queue.size === 0 && rate.perSecond === undefined;
    },
  };
}

function fullError({ project, location }: Quota, perSecond: number): KeyServiceError {
  const calls = perSecond < 10 ? perSecond.toFixed(1) : perSecond.toFixed(0);
  return new KeyServiceError("kms_throttled", {
    problem: `the quota of project ${project} in ${location} lets about ${calls} calls a second through, and as many wait as have a chance`,
    remedy: "try again in a moment; if it stays, raise the quota of the project that pays for the call",
  });
}
