/** What is in store for a bad moment: as many retries as a rule has connections, which may all break at once. */
const RESERVE = 64;
/** In steady trouble a fifth more requests than calls, and no more. */
const SHARE = 0.2;

/**
 * Bounds what retries add to an endpoint's trouble: never more than two requests a call, and 1.2 once there were 320
 * calls, both counted from the start.
 */
export interface RetryBudget {
  /** A call has begun. */
  deposit(): void;
  /** Whether one more request may be made for a call; it is then spent. */
  withdraw(): boolean;
}

export function createRetryBudget(): RetryBudget {
  let calls = 0;
  let balance = 0;
  return {
    deposit() {
      const earnedBefore = earned(calls);
      calls += 1;
      balance = Math.min(RESERVE, balance + earned(calls) - earnedBefore);
    },
    withdraw() {
      // A fifth, added up five times, may fall short of one by a rounding error.
      if (balance < 1 - 1e-6) return false;
      balance -= 1;
      return true;
    },
  };
}

/** The reserve one by one, so that retries never outnumber calls; then nothing until it is a fifth of all calls. */
function earned(calls: number): number {
  return Math.max(Math.min(calls, RESERVE), SHARE * calls);
}
