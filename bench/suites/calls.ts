import type { LoadResult } from "../load/load.ts";
import type { PeerName, Peers } from "../peers/all.ts";
import type { RunningPeer } from "../peers/peer.ts";
import { readUsage, type Usage } from "../system/proc.ts";
import { UPSTREAMS, type Upstream, type UpstreamCounters, type UpstreamName } from "../upstream.ts";
import type { Workplace } from "../workplace.ts";

/** One measurement: a peer, an upstream and a number of calls at once, in one round. */
export interface Cell {
  readonly round: number;
  readonly peer: PeerName;
  readonly upstream: UpstreamName;
  readonly inFlight: number;
}

export interface CellResult extends Omit<LoadResult, "driverCpuMs"> {
  readonly callsPerSecond: number;
  readonly cpuMsPerCall: number;
  readonly rssMiB: number;
  readonly descriptors: number;
  /** What the upstream was asked; more or fewer than calls where some are joined or tried again. */
  readonly upstreamCalls: number;
  readonly tokenRequests: number;
  /** New ones, while this cell was measured. */
  readonly connections: number;
  /** Of one core; undefined where the peer makes its load itself. */
  readonly driverCores: number | undefined;
  readonly upstreamCores: number;
}

export interface CallsPlan {
  readonly peers: readonly PeerName[];
  readonly upstreams: readonly UpstreamName[];
  readonly inFlight: readonly number[];
  readonly rounds: number;
  readonly connections: number;
  readonly seconds: number;
  readonly maxCalls: number;
}

/** All cells of a plan, round by round, so that what changes on the machine meanwhile meets every peer. */
export function cellsOf(plan: CallsPlan, peers: Peers): readonly Cell[] {
  const rounds = Array.from({ length: plan.rounds }, (_, index) => index + 1);
  return rounds.flatMap((round) =>
    plan.upstreams.flatMap((upstream, place) =>
      plan.peers
        .filter((peer) => suits(peers, peer, upstream, place === 0))
        .flatMap((peer) => plan.inFlight.map((inFlight) => ({ round, peer, upstream, inFlight }))),
    ),
  );
}

function suits(peers: Peers, name: PeerName, upstream: UpstreamName, isFirstUpstream: boolean): boolean {
  const { needsTls = false, floor = false } = peers[name];
  return floor ? isFirstUpstream : UPSTREAMS[upstream].tls || !needsTls;
}

/** On a busy machine; otherwise the number of calls ends it. */
const MAX_WARM_UP_SECONDS = 10;

/**
 * Measures cells that share a round, an upstream and a peer, on one run of the peer.
 *
 * @param done called with each result as soon as it is there
 */
export async function measureCells(
  cells: readonly Cell[],
  plan: CallsPlan,
  peers: Peers,
  workplace: Workplace,
  done: (cell: Cell, result: CellResult) => void,
): Promise<void> {
  const [first] = cells;
  if (first === undefined) return;
  await using upstream = await workplace.upstream(first.upstream);
  await using peer = await peers[first.peer].start(workplace.surroundings(upstream));
  // The most at once first: it leaves everything warm for the rest.
  const ordered = [...cells].sort((a, b) => b.inFlight - a.inFlight);
  // So that just-in-time compilers and connection pools are where they will be.
  const warmUp = { seconds: MAX_WARM_UP_SECONDS, maxCalls: peers[first.peer].warmUpCalls };
  await peer.drive({ ...plan, ...warmUp, inFlight: ordered[0]?.inFlight ?? 1 });
  for (const cell of ordered) done(cell, await measure(cell, plan, peer, upstream));
}

interface Reading {
  readonly peer: Usage;
  readonly upstream: Usage;
  readonly counters: UpstreamCounters;
}

async function measure(cell: Cell, plan: CallsPlan, peer: RunningPeer, upstream: Upstream): Promise<CellResult> {
  const read = async (): Promise<Reading> => ({
    peer: readUsage(peer.pid),
    upstream: readUsage(upstream.pid),
    counters: await upstream.counters(),
  });
  const before = await read();
  const { driverCpuMs, ...load } = await peer.drive({ ...plan, inFlight: cell.inFlight });
  const after = await read();
  const elapsedMs = load.seconds * 1_000;
  return {
    ...load,
    callsPerSecond: load.calls / load.seconds,
    cpuMsPerCall: (after.peer.cpuMs - before.peer.cpuMs) / (load.calls + load.failed),
    rssMiB: after.peer.rssMiB,
    descriptors: after.peer.descriptors,
    upstreamCalls: after.counters.calls - before.counters.calls,
    tokenRequests: after.counters.tokens - before.counters.tokens,
    connections: after.counters.connections - before.counters.connections,
    driverCores: peer.driverPid === undefined ? undefined : driverCpuMs / elapsedMs,
    upstreamCores: (after.upstream.cpuMs - before.upstream.cpuMs) / elapsedMs,
  };
}
