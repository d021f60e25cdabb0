/**
 * Time as the rest of the program sees it, so that tests can turn it.
 *
 * Two clocks on purpose: the wall clock jumps (NTP, suspend), the monotonic one stops while a machine sleeps.
 */
export interface Clock {
  /** Wall clock, milliseconds since the Unix epoch. */
  nowMs(): number;
  /** Monotonic clock, milliseconds since an arbitrary start. */
  monotonicMs(): number;
  /** Calls back once after `delayMs`; the timer alone never keeps the process alive. Returns its cancellation. */
  schedule(delayMs: number, callback: () => void): () => void;
}

export const systemClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  schedule(delayMs, callback) {
    const timer = setTimeout(callback, delayMs);
    timer.unref();
    return () => clearTimeout(timer);
  },
};
