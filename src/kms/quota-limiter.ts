import type { Clock } from "../core/clock.ts";
import { abortReason } from "../core/deadline.ts";
import { KeyServiceError } from "../core/errors.ts";
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
   * @throws KeyServiceError `kms_throttled` where it would wait too long
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
}

export function createQuotaLimiter(quota: Quota, clock: Clock, report: (event: QuotaEvent) => void): QuotaLimiter {
  const rate = createQuotaRate(clock);
  // By rule, in the order of their turns: whoever was served goes to the end.
  const queues = new Map<string, Set<Waiting>>();
  let waiting = 0;
  let timerRuns = false;

  function scheduleNext(): void {
    if (timerRuns || waiting === 0) return;
    timerRuns = true;
    clock.schedule(rate.waitMs(), () => {
      timerRuns = false;
      while (waiting > 0 && rate.take()) startNext();
      scheduleNext();
    });
  }

  function startNext(): void {
    for (const [rule, queue] of queues) {
      const [next] = queue;
      if (next === undefined) continue;
      remove(rule, queue, next);
      if (queue.size > 0) {
        queues.delete(rule);
        queues.set(rule, queue);
      }
      next.start();
      return;
    }
  }

  function remove(rule: string, queue: Set<Waiting>, entry: Waiting): void {
    if (!queue.delete(entry)) return;
    waiting -= 1;
    if (queue.size === 0) queues.delete(rule);
  }

  function wait(rule: string, signal: AbortSignal): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const queue = queues.get(rule) ?? new Set();
    queues.set(rule, queue);
    const onAbort = () => {
      remove(rule, queue, entry);
      reject(abortReason(signal));
    };
    const entry: Waiting = {
      start() {
        signal.removeEventListener("abort", onAbort);
        resolve();
      },
    };
    signal.addEventListener("abort", onAbort, { once: true });
    queue.add(entry);
    waiting += 1;
    scheduleNext();
    return promise;
  }

  /** A rule may hold its share of what can be sent in time, and the whole of it while no other rule waits. */
  function hasRoom(rule: string, perSecond: number): boolean {
    const room = Math.min(MAX_WAITING, Math.max(1, Math.floor(perSecond * MAX_WAIT_SECONDS)));
    const others = queues.size - (queues.has(rule) ? 1 : 0);
    if (rate.waitMs() > MAX_WAIT_SECONDS * 1_000) return false;
    return (queues.get(rule)?.size ?? 0) < Math.ceil(room / (others + 1)) && waiting < 2 * MAX_WAITING;
  }

  return {
    admit(rule, signal) {
      if (waiting === 0 && rate.take()) return undefined;
      const perSecond = rate.perSecond;
      if (perSecond !== undefined && !hasRoom(rule, perSecond)) throw fullError(quota, perSecond);
      return signal.aborted ? Promise.reject(abortReason(signal)) : wait(rule, signal);
    },
    succeeded: () => rate.succeeded(),
    throttled(retryAfterMs) {
      const wasLimited = rate.perSecond !== undefined;
      rate.throttled(retryAfterMs);
      if (!wasLimited) report({ kind: "quota_limited", quota, callsPerSecond: rate.perSecond ?? 0 });
    },
    get isIdle() {
      return waiting === 0 && rate.perSecond === undefined;
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
