import type { Measure, Sample, Trend } from "./verdict.ts";

const TITLES: Readonly<Record<Measure | "eventLoopP99Ms", string>> = {
  rssMiB: "resident memory, MiB",
  heapMiB: "heap after collection, MiB",
  descriptors: "file descriptors",
  eventLoopP99Ms: "event-loop delay p99, ms",
};
const BARS = "▁▂▃▄▅▆▇█";
const PLOT_WIDTH = 60;

export interface SoakReport {
  readonly minutes: number;
  readonly samples: readonly Sample[];
  readonly trends: readonly Trend[];
  readonly counts: Readonly<Record<string, number>>;
  readonly calls: number;
  readonly problems: readonly string[];
}

/** For a terminal. */
export function renderReport({ minutes, samples, trends, counts, calls, problems }: SoakReport): string {
  const outcomes = Object.entries(counts).toSorted(([, one], [, other]) => other - one);
  return [
    `${calls} calls in ${minutes.toFixed(1)} minutes`,
    ...outcomes.map(([name, count]) => `  ${name.padEnd(20)} ${String(count).padStart(8)}`),
    "",
    "after the warm-up               first      last   a minute    growth     bound",
    ...trends.map(renderTrend),
    "",
    ...plots(samples),
    "",
    problems.length === 0 ? "all within bounds" : ["OUT OF BOUNDS", ...problems.map((each) => `  ${each}`)].join("\n"),
  ].join("\n");
}

function renderTrend({ measure, first, last, perMinute, growth, mostGrowth }: Trend): string {
  const cells = [first.toFixed(1), last.toFixed(1), perMinute.toFixed(3), growth.toFixed(2), String(mostGrowth)];
  return `${TITLES[measure].padEnd(28)}${cells.map((cell) => cell.padStart(10)).join("")}`;
}

function plots(samples: readonly Sample[]): readonly string[] {
  return (["rssMiB", "heapMiB", "descriptors", "eventLoopP99Ms"] as const).map((measure) => {
    const values = samples.map((sample) => sample[measure]);
    const [low, high] = [Math.min(...values), Math.max(...values)];
    return `${TITLES[measure].padEnd(28)} ${plot(values)}  ${low.toFixed(1)} to ${high.toFixed(1)}`;
  });
}

/** One line of bars, from the lowest value to the highest. */
export function plot(values: readonly number[]): string {
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const width = Math.min(PLOT_WIDTH, values.length);
  const bars = Array.from({ length: width }, (_, index) => {
    const value = values[Math.floor((index * values.length) / width)] ?? low;
    const share = high === low ? 0 : (value - low) / (high - low);
    return BARS[Math.round(share * (BARS.length - 1))];
  });
  return bars.join("");
}

export function renderProgress({ seconds, calls, rssMiB, heapMiB, descriptors, eventLoopP99Ms }: Sample): string {
  return [
    `${seconds.toFixed(0).padStart(5)} s`,
    `${String(calls).padStart(7)} calls`,
    `rss ${rssMiB.toFixed(1)} MiB`,
    `heap ${heapMiB.toFixed(1)} MiB`,
    `${descriptors} descriptors`,
    `event loop p99 ${eventLoopP99Ms.toFixed(1)} ms`,
  ].join("  ");
}
