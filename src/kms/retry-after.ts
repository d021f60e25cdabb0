/** Longer is taken as this: no call lives that long, and a limiter must not stand still for a typing error. */
const MAX_MS = 60_000;

/**
 * `Retry-After` in seconds or as an HTTP date. https://www.rfc-editor.org/rfc/rfc9110#section-10.2.3
 *
 * @param nowMs wall clock, for the date
 * @returns milliseconds from now, never negative; undefined where it says nothing that can be read
 */
export function parseRetryAfter(value: string | readonly string[] | undefined, nowMs: number): number | undefined {
  if (typeof value !== "string") return undefined;
  const text = value.trim();
  if (/^[0-9]{1,9}$/.test(text)) return Math.min(MAX_MS, Number(text) * 1_000);
  // Only what begins as a day's name: Date.parse takes much for a date that is none.
  const atMs = /^[A-Z][a-z]{2,8},? /.test(text) ? Date.parse(text) : Number.NaN;
  return Number.isNaN(atMs) ? undefined : Math.min(MAX_MS, Math.max(0, atMs - nowMs));
}
