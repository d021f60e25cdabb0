/** Between 0 and 1, the end excluded; `Math.random` in the program, a seeded one in tests. */
export type Random = () => number;

const FIRST_MS = 100;
const MAX_MS = 2_000;

/**
 * Full jitter: anything between nothing and an exponentially growing bound, so that callers who failed together
 * do not come back together. https://aws.amazon.com/builders-library/timeouts-retries-and-backoff-with-jitter/
 *
 * @param failures how many attempts have failed so far, at least 1
 * @returns milliseconds
 */
export function backoffMs(failures: number, random: Random): number {
  return random() * Math.min(MAX_MS, FIRST_MS * 2 ** (failures - 1));
}
