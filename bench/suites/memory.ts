import { setTimeout as pause } from "node:timers/promises";
import type { Peers } from "../peers/all.ts";
import { readUsage } from "../system/proc.ts";
import type { Workplace } from "../workplace.ts";

export interface MemoryResult {
  readonly calls: number;
  readonly failed: number;
  readonly rssMiB: number;
  /** What the second half of the calls added: the first one fills caches and pools. */
  readonly slopeMiBPer10k: number;
  readonly descriptorsBefore: number;
  readonly descriptorsAfter: number;
  readonly samples: readonly MemorySample[];
}

export interface MemorySample {
  readonly calls: number;
  readonly rssMiB: number;
  readonly descriptors: number;
}

const SAMPLES = 20;
/** Until the connections of the driver, which come and go with each load, are closed on both sides. */
const SETTLE_MS = 200;

/** Memory and file descriptors of sops-keyd while it answers `calls` calls, 64 at once. */
export async function measureMemory(peers: Peers, workplace: Workplace, calls: number): Promise<MemoryResult> {
  await using upstream = await workplace.upstream("tls");
  await using keyd = await peers["keyd-rest"].start(workplace.surroundings(upstream));
  const samples: MemorySample[] = [];
  let failed = 0;
  const perSample = Math.ceil(calls / SAMPLES);
  for (let done = perSample; done <= calls; done += perSample) {
    const load = await keyd.drive({ inFlight: 64, connections: 8, seconds: 60, maxCalls: perSample });
    failed += load.failed;
    await pause(SETTLE_MS);
    const { rssMiB, descriptors } = readUsage(keyd.pid);
    samples.push({ calls: done, rssMiB, descriptors });
  }
  const last = samples.at(-1);
  return {
    calls,
    failed,
    rssMiB: last?.rssMiB ?? Number.NaN,
    slopeMiBPer10k: slope(samples.slice(samples.length / 2)) * 10_000,
    descriptorsBefore: samples[0]?.descriptors ?? Number.NaN,
    descriptorsAfter: last?.descriptors ?? Number.NaN,
    samples,
  };
}

/** Least squares, MiB a call. */
export function slope(samples: readonly MemorySample[]): number {
  const mean = (value: (sample: MemorySample) => number) =>
    samples.reduce((total, sample) => total + value(sample), 0) / samples.length;
  const meanCalls = mean(({ calls }) => calls);
  const meanRss = mean(({ rssMiB }) => rssMiB);
  const covariance = mean(({ calls, rssMiB }) => (calls - meanCalls) * (rssMiB - meanRss));
  return covariance / mean(({ calls }) => (calls - meanCalls) ** 2);
}
