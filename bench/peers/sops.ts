import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import type { Transport } from "./keyd.ts";
import { GO_WARM_UP_CALLS, type Peer, type PeerSurroundings } from "./peer.ts";
import { startKeyService } from "./server.ts";

type Identity = "service account" | "static token";

/** The real `sops keyservice`. */
export function createSopsPeer(sops: string, transport: Transport, identity: Identity): Peer {
  return {
    title: `sops keyservice, ${transport === "rest" ? "REST" : "gRPC"}, ${identity}`,
    needsTls: transport === "grpc",
    warmUpCalls: GO_WARM_UP_CALLS,
    start(surroundings) {
      const socket = join(surroundings.directory, "sops.sock");
      const args = ["keyservice", "--network", "unix", "--address", socket];
      const env = { ...sopsEnvironment(surroundings, transport, identity), SOPS_DISABLE_VERSION_CHECK: "true" };
      return startKeyService({ file: sops, args, env, socket }, surroundings);
    },
  };
}

/** How sops 3.13 or later is pointed at another Cloud KMS. */
export function sopsEnvironment(
  { upstream, serviceAccountFile }: PeerSurroundings,
  transport: Transport,
  identity: Identity,
): Record<string, string> {
  return {
    SOPS_GCP_KMS_CLIENT_TYPE: transport,
    // Its gRPC client wants host:port, its REST client a URL.
    SOPS_GCP_KMS_ENDPOINT: transport === "grpc" ? new URL(upstream.url).host : upstream.url,
    ...(upstream.caFile === undefined ? {} : { SSL_CERT_FILE: upstream.caFile }),
    ...(identity === "service account"
      ? { GOOGLE_CREDENTIALS: serviceAccountFile }
      : { GOOGLE_OAUTH_ACCESS_TOKEN: "bench-token" }),
  };
}

/** @returns the path of a real sops; it may be built first, which takes minutes */
export async function findSops(): Promise<string> {
  const script = join(import.meta.dirname, "../../scripts/get-sops");
  const { stdout } = await promisify(execFile)(script, []);
  return stdout.trim();
}
