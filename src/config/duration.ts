const UNIT_MS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 } as const;

type DurationUnit = keyof typeof UNIT_MS;

/** What the config takes as a duration: a whole number with its unit. At most 9 digits, so that no sum overflows. */
export const DURATION_PATTERN: RegExp = /^(\d{1,9})(ms|s|m|h)$/;

/** Milliseconds of `500ms`, `10s`, `10m` or `1h`; undefined where the text is none of these. */
export function parseDuration(text: string): number | undefined {
  const parts = DURATION_PATTERN.exec(text);
  if (parts === null) return undefined;
  return Number(parts[1]) * UNIT_MS[parts[2] as DurationUnit];
}

/** The shortest text that {@link parseDuration} reads as the same time: 90000 is `90s`, 3600000 is `1h`. */
export function renderDuration(durationMs: number): string {
  const units: readonly DurationUnit[] = ["h", "m", "s"];
  const unit = durationMs === 0 ? "s" : (units.find((each) => durationMs % UNIT_MS[each] === 0) ?? "ms");
  return `${durationMs / UNIT_MS[unit]}${unit}`;
}
