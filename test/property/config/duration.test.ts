import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { parseDuration, renderDuration } from "../../../src/config/duration.ts";

test("a duration that is rendered is read as the same time", () => {
  fc.assert(
    fc.property(fc.nat(999_999_999), fc.constantFrom(1, 1000, 60_000, 3_600_000), (count, unitMs) => {
      const durationMs = Math.floor(count / unitMs) * unitMs;
      assert.equal(parseDuration(renderDuration(durationMs)), durationMs);
    }),
  );
});

test("a duration is read as its number times its unit", () => {
  const unit = fc.constantFrom(
    ["ms", 1] as const,
    ["s", 1000] as const,
    ["m", 60_000] as const,
    ["h", 3_600_000] as const,
  );
  fc.assert(
    fc.property(fc.nat(999_999_999), unit, (count, [name, unitMs]) => {
      assert.equal(parseDuration(`${count}${name}`), count * unitMs);
    }),
  );
});

for (const text of [
  "",
  "10",
  "s",
  "1.5s",
  "-1s",
  "+1s",
  "1 s",
  " 1s",
  "1s ",
  "1S",
  "1d",
  "1h30m",
  "1e3s",
  "٣s",
  "9999999999s",
  "1s\n",
]) {
  test(`${JSON.stringify(text)} is no duration`, () => assert.equal(parseDuration(text), undefined));
}

test("a time is rendered in the largest unit that holds it whole", () => {
  assert.deepEqual([0, 500, 10_000, 90_000, 600_000, 3_600_000].map(renderDuration), [
    "0s",
    "500ms",
    "10s",
    "90s",
    "10m",
    "1h",
  ]);
});
