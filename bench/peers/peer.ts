import type { LoadRequest, LoadResult } from "../load/load.ts";
import type { Upstream } from "../upstream.ts";

/** What a peer finds around it. */
export interface PeerSurroundings {
  readonly upstream: Upstream;
  /** Its own, empty, for sockets, configs and logs. */
  readonly directory: string;
  /** A service account's JSON whose `token_uri` is the upstream. */
  readonly serviceAccountFile: string;
  /** Runs a key service under this: `["sh", "-c", …]` with a limit, say. */
  readonly wrapper?: readonly string[];
  /** Where a Node.js peer writes its CPU profile when it ends. */
  readonly profileDirectory?: string;
}

/** A peer that runs: what load is made on, and whose cost is measured. */
export interface RunningPeer extends AsyncDisposable {
  readonly pid: number;
  /** Where a sops can ask it; undefined for a library that is called without a server. */
  readonly address: string | undefined;
  /** Who makes the load; undefined where the peer does so itself. */
  readonly driverPid: number | undefined;
  drive(request: LoadRequest): Promise<LoadResult>;
}

export interface Peer {
  /** In tables. */
  readonly title: string;
  /** It speaks gRPC to Cloud KMS, for which Google's clients want TLS. */
  readonly needsTls?: boolean;
  /** It asks nobody: one measurement stands for all upstreams. */
  readonly floor?: boolean;
  /** How many calls it is given before it is measured: many where V8 compiles while it runs. */
  readonly warmUpCalls: number;
  start(surroundings: PeerSurroundings): Promise<RunningPeer>;
}

export const NODE_WARM_UP_CALLS = 5_000;
export const GO_WARM_UP_CALLS = 300;
