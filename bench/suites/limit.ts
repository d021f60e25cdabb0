import type { PeerName, Peers } from "../peers/all.ts";
import { readUsage } from "../system/proc.ts";
import type { Workplace } from "../workplace.ts";

export interface LimitResult {
  readonly peer: PeerName;
  readonly descriptorLimit: number;
  readonly calls: number;
  readonly failed: number;
  readonly firstFailure?: string;
  readonly descriptorsAfter: number;
}

const DESCRIPTOR_LIMIT = 256;
const CALLS = 1_500;

/** How many of 1,500 calls succeed where a process may have 256 file descriptors. */
export async function measureLimit(peers: Peers, name: PeerName, workplace: Workplace): Promise<LimitResult> {
  await using upstream = await workplace.upstream("tls");
  // Both limits, soft and hard: Node.js raises the first to the second.
  const wrapper = ["sh", "-c", `ulimit -n ${DESCRIPTOR_LIMIT} && exec "$0" "$@"`];
  await using peer = await peers[name].start({ ...workplace.surroundings(upstream), wrapper });
  const load = await peer.drive({ inFlight: 64, connections: 8, seconds: 60, maxCalls: CALLS });
  const { descriptors } = readUsage(peer.pid);
  return {
    peer: name,
    descriptorLimit: DESCRIPTOR_LIMIT,
    calls: load.calls,
    failed: load.failed,
    ...(load.firstFailure === undefined ? {} : { firstFailure: load.firstFailure }),
    descriptorsAfter: descriptors,
  };
}
