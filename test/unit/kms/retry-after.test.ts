import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { parseRetryAfter } from "../../../src/kms/retry-after.ts";

const NOW_MS = Date.UTC(2026, 0, 1, 12, 0, 0);

describe("Retry-After", () => {
  for (const [value, ms] of [
    ["0", 0],
    ["1", 1_000],
    [" 7 ", 7_000],
    ["59", 59_000],
    ["3600", 60_000],
    ["999999999", 60_000],
    // RFC 9110 has three forms of a date, and all of them are UTC.
    ["Thu, 01 Jan 2026 12:00:05 GMT", 5_000],
    ["Thursday, 01-Jan-26 12:00:05 GMT", 5_000],
    ["Thu Jan  1 12:00:05 2026", 5_000],
    ["Thu, 01 Jan 2026 11:00:00 GMT", 0],
    ["Fri, 02 Jan 2026 12:00:00 GMT", 60_000],
  ] as const) {
    test(`reads ${JSON.stringify(value)} as ${ms} ms`, () => assert.equal(parseRetryAfter(value, NOW_MS), ms));
  }

  for (const value of [
    undefined,
    ["1", "2"],
    "",
    "-1",
    "1.5",
    "1e3",
    "0x10",
    "soon",
    "1234567890",
    "2026-01-01T12:00:05Z",
    "Thu, 01 Jan 2026 12:00:05",
    "Thu, 01 Jan 2026 12:00:05 PST",
    "Thu, 99 Foo 2026 12:00:05 GMT",
  ]) {
    test(`makes nothing of ${JSON.stringify(value)}`, () => assert.equal(parseRetryAfter(value, NOW_MS), undefined));
  }

  test("is nothing, or from no wait to a minute, whatever stands there", () => {
    const near = fc.stringMatching(/^ ?[A-Z]?[a-z]{0,8},? ?[0-9A-Za-z: -]{0,40}(GMT)?$/);
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.string({ unit: "binary" }), near, fc.integer().map(String)), (value) => {
        const ms = parseRetryAfter(value, NOW_MS);
        assert.ok(ms === undefined || (ms >= 0 && ms <= 60_000), `${value} became ${ms}`);
      }),
      { numRuns: 5_000 },
    );
  });

  test("reads every date of a server's clock as the time that is left until then", () => {
    fc.assert(
      fc.property(fc.integer({ min: -3_600, max: 3_600 }), (seconds) => {
        const date = new Date(NOW_MS + seconds * 1_000).toUTCString();
        assert.equal(parseRetryAfter(date, NOW_MS), Math.min(60_000, Math.max(0, seconds * 1_000)));
      }),
    );
  });
});
