import type { Clock } from "../core/clock.ts";

const CONSECUTIVE_LIMIT = 5;
/** How many attempts are looked back on, as many bits. */
const WINDOW = 20;
const WINDOW_MASK = 2 ** WINDOW - 1;
const WINDOW_LIMIT = 10;
const CONSECUTIVE_MASK = 2 ** CONSECUTIVE_LIMIT - 1;
/** What is older says nothing about now. */
const FORGET_AFTER_MS = 30_000;

/** The last attempts at an endpoint: one bit each, the newest lowest. */
export interface FailureHistory {
  succeeded(): void;
  /** @returns whether that is too much: five failures in a row, or half of the last twenty attempts */
  failed(): boolean;
  /**
   * A connection broke. All that are open break at once where a peer restarts or a firewall forgets them, which says
   * no more than that one did: it counts where the attempt began after the last failure was seen.
   *
   * @param startedAtMs monotonic
   * @returns as {@link failed}
   */
  connectionBroke(startedAtMs: number): boolean;
}

export function createFailureHistory(clock: Clock): FailureHistory {
  let bits = 0;
  let lastAtMs = 0;
  let lastFailureAtMs = Number.NEGATIVE_INFINITY;

  function add(bit: 0 | 1): void {
    const nowMs = clock.monotonicMs();
    if (nowMs - lastAtMs > FORGET_AFTER_MS) bits = 0;
    lastAtMs = nowMs;
    bits = ((bits << 1) | bit) & WINDOW_MASK;
  }

  function failed(): boolean {
    add(1);
    lastFailureAtMs = lastAtMs;
    return (bits & CONSECUTIVE_MASK) === CONSECUTIVE_MASK || countOnes(bits) >= WINDOW_LIMIT;
  }

  return {
    succeeded() {
      // The path of nearly every call: nothing to remember, nothing to add.
      if (bits !== 0) add(0);
    },
    failed,
    connectionBroke: (startedAtMs) => startedAtMs > lastFailureAtMs && failed(),
  };
}

function countOnes(bits: number): number {
  let ones = 0;
  for (let rest = bits; rest !== 0; rest &= rest - 1) ones += 1;
  return ones;
}
