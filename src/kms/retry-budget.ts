/** What is in store for a bad moment, such as an endpoint that restarts with that many calls in flight. */
const RESERVE = 64;
/** What each call adds: in steady trouble a fifth more requests than calls, and no more. */
const SHARE = 0.2;

/**
 * Bounds what retries add to an endpoint's trouble: 1.2 requests a call for as long as trouble lasts, and never more
 * than two a call, counted from the start.
 */
export interface RetryBudget {
  /** A call has begun. */
  deposit(): void;
  /** Whether one more request may be made for a call; it is then spent. */
  withdraw(): boolean;
}

export function createRetryBudget(): RetryBudget {
  let balance = 0;
  let unearned = RESERVE;
  return {
    deposit() {
      // The reserve is earned as well, one by one, so that retries never outnumber calls.
      const earned = unearned > 0 ? 1 : SHARE;
      if (unearned > 0) unearned -= 1;
      balance = Math.min(RESERVE, balance + earned);
    },
    withdraw() {
      if (balance < 1) return false;
      balance -= 1;
      return true;
    },
  };
}
