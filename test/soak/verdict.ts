/** What the server held at one moment. */
export interface Sample {
  /** Since the load began. */
  readonly seconds: number;
  readonly calls: number;
  readonly rssMiB: number;
  readonly heapMiB: number;
  readonly descriptors: number;
  readonly eventLoopP99Ms: number;
}

export type Measure = "rssMiB" | "heapMiB" | "descriptors";

/** How one measure went after the warm-up. */
export interface Trend {
  readonly measure: Measure;
  readonly first: number;
  readonly last: number;
  /** Least squares. */
  readonly perMinute: number;
  /** The slope over the whole of the measured time; what is held against the bound. */
  readonly growth: number;
  readonly mostGrowth: number;
}

/** The first third fills caches and pools, and V8 compiles. */
const WARM_UP_SHARE = 1 / 3;
/** However long the soak: what is bounded does not grow with time. */
const MOST_GROWTH: Readonly<Record<Measure, number>> = { rssMiB: 24, heapMiB: 4, descriptors: 10 };
const MEASURES: readonly Measure[] = ["rssMiB", "heapMiB", "descriptors"];
const SECONDS_PER_MINUTE = 60;

export function findTrends(samples: readonly Sample[]): readonly Trend[] {
  const measured = samples.slice(Math.floor(samples.length * WARM_UP_SHARE));
  const [first, last] = [measured[0], measured.at(-1)];
  if (first === undefined || last === undefined || measured.length < 3) return [];
  return MEASURES.map((measure) => {
    const slope = leastSquares(measured.map((sample) => [sample.seconds, sample[measure]]));
    return {
      measure,
      first: first[measure],
      last: last[measure],
      perMinute: slope * SECONDS_PER_MINUTE,
      growth: slope * (last.seconds - first.seconds),
      mostGrowth: MOST_GROWTH[measure],
    };
  });
}

/** The slope of the line that fits best. */
export function leastSquares(points: readonly (readonly [x: number, y: number])[]): number {
  const mean = (of: (point: readonly [number, number]) => number) =>
    points.reduce((total, point) => total + of(point), 0) / points.length;
  const [meanX, meanY] = [mean(([x]) => x), mean(([, y]) => y)];
  return mean(([x, y]) => (x - meanX) * (y - meanY)) / mean(([x]) => (x - meanX) ** 2);
}

/** Why the soak did not go well; empty: it did. */
export function findProblems(
  trends: readonly Trend[],
  breaches: readonly string[],
  exitCode: number | undefined,
): readonly string[] {
  const grown = trends
    .filter(({ growth, mostGrowth }) => growth > mostGrowth)
    .map(({ measure, growth, mostGrowth }) => `${measure} grew by ${growth.toFixed(1)}, more than ${mostGrowth}`);
  return [
    ...breaches,
    ...grown,
    ...(trends.length === 0 ? ["it was too short for a trend: give it more --minutes"] : []),
    ...(exitCode === 0 ? [] : [`the server ended with ${exitCode ?? "a signal"}`]),
  ];
}
