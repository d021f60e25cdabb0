const UNIT_BYTES = { KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3 } as const;

type SizeUnit = keyof typeof UNIT_BYTES;

/** What the config takes as a size: a whole number with its unit. */
export const SIZE_PATTERN: RegExp = /^(\d{1,7})(KiB|MiB|GiB)$/;

/** Bytes of `512KiB`, `64MiB` or `1GiB`; undefined where the text is none of these. */
export function parseSize(text: string): number | undefined {
  const parts = SIZE_PATTERN.exec(text);
  if (parts === null) return undefined;
  return Number(parts[1]) * UNIT_BYTES[parts[2] as SizeUnit];
}

/** The shortest text that {@link parseSize} reads as the same size. @param bytes a multiple of 1024 */
export function renderSize(bytes: number): string {
  const units: readonly SizeUnit[] = ["GiB", "MiB"];
  const unit = units.find((each) => bytes % UNIT_BYTES[each] === 0) ?? "KiB";
  return `${bytes / UNIT_BYTES[unit]}${unit}`;
}
