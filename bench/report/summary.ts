import type { PeerName } from "../peers/all.ts";
import type { BenchDocument, BenchRecord } from "../results.ts";
import type { CellResult } from "../suites/calls.ts";
import type { UpstreamName } from "../upstream.ts";

/** The medians of what was measured several times. */
export interface CellSummary {
  readonly peer: PeerName;
  readonly upstream: UpstreamName;
  readonly inFlight: number;
  readonly callsPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly cpuMsPerCall: number;
  readonly rssMiB: number;
  readonly descriptors: number;
  readonly upstreamCallsPerCall: number;
  readonly tokensPerCall: number;
  readonly connectionsPerCall: number;
  readonly upstreamCores: number;
  readonly driverCores: number | undefined;
  /** Of all rounds together. */
  readonly calls: number;
  readonly failed: number;
}

type RecordOf<S extends BenchRecord["suite"]> = Extract<BenchRecord, { readonly suite: S }>;

export function recordsOf<S extends BenchRecord["suite"]>(document: BenchDocument, suite: S): readonly RecordOf<S>[] {
  return document.records.filter((record): record is RecordOf<S> => record.suite === suite);
}

export function summarise(document: BenchDocument): readonly CellSummary[] {
  const groups = Map.groupBy(
    recordsOf(document, "calls"),
    ({ cell }) => `${cell.peer} ${cell.upstream} ${cell.inFlight}`,
  );
  return [...groups.values()].flatMap((group) => {
    const [first] = group;
    return first === undefined
      ? []
      : [
          summariseGroup(
            first.cell,
            group.map(({ result }) => result),
          ),
        ];
  });
}

function summariseGroup(
  { peer, upstream, inFlight }: Pick<CellSummary, "peer" | "upstream" | "inFlight">,
  rounds: readonly CellResult[],
): CellSummary {
  const middle = (value: (result: CellResult) => number) => median(rounds.map(value));
  return {
    peer,
    upstream,
    inFlight,
    callsPerSecond: middle((result) => result.callsPerSecond),
    p50Ms: middle((result) => result.p50Ms),
    p99Ms: middle((result) => result.p99Ms),
    cpuMsPerCall: middle((result) => result.cpuMsPerCall),
    rssMiB: middle((result) => result.rssMiB),
    descriptors: middle((result) => result.descriptors),
    upstreamCallsPerCall: middle((result) => result.upstreamCalls / result.calls),
    tokensPerCall: middle((result) => result.tokenRequests / result.calls),
    connectionsPerCall: middle((result) => result.connections / result.calls),
    upstreamCores: middle((result) => result.upstreamCores),
    driverCores: rounds.some(({ driverCores }) => driverCores === undefined)
      ? undefined
      : middle(({ driverCores = Number.NaN }) => driverCores),
    calls: rounds.reduce((total, { calls }) => total + calls, 0),
    failed: rounds.reduce((total, { failed }) => total + failed, 0),
  };
}

/** The middle of them, or the mean of the two middle ones. NaN of none. */
export function median(values: readonly number[]): number {
  const sorted = values.filter((value) => !Number.isNaN(value)).sort((a, b) => a - b);
  const upper = sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
  const lower = sorted[Math.floor((sorted.length - 1) / 2)] ?? Number.NaN;
  return (lower + upper) / 2;
}
