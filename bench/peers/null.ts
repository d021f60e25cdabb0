import { join } from "node:path";
import { NODE_WARM_UP_CALLS, type Peer } from "./peer.ts";
import { startKeyService } from "./server.ts";

/** A grpc-js server that answers at once: what no server on grpc-js can be below. */
export const nullPeer: Peer = {
  title: "null server (grpc-js)",
  floor: true,
  warmUpCalls: NODE_WARM_UP_CALLS,
  start(surroundings) {
    const socket = join(surroundings.directory, "null.sock");
    const args = [join(import.meta.dirname, "null-server.ts"), socket];
    return startKeyService({ file: process.execPath, args, env: {}, socket }, surroundings);
  },
};
