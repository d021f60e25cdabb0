/** Longer is taken as this: no call lives that long, and a limiter must not stand still for a typing error. */
const MAX_MS = 60_000;

/** The date that servers must send, and the two that they used to: all of them are UTC, though the last does not say so. */
const RFC_9110_DATE = /^[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT$/;
const RFC_850_DATE = /^[A-Z][a-z]{5,8}, \d{2}-[A-Z][a-z]{2}-\d{2} \d{2}:\d{2}:\d{2} GMT$/;
const ASCTIME_DATE = /^[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d{2}:\d{2}:\d{2} \d{4}$/;

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
  const atMs = parseHttpDate(text);
  return Number.isNaN(atMs) ? undefined : Math.min(MAX_MS, Math.max(0, atMs - nowMs));
}

/** NaN where it is none: `Date.parse` by itself takes much for a date, and most of that for local time. */
function parseHttpDate(text: string): number {
  if (RFC_9110_DATE.test(text) || RFC_850_DATE.test(text)) return Date.parse(text);
  return ASCTIME_DATE.test(text) ? Date.parse(`${text} GMT`) : Number.NaN;
}
