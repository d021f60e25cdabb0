import { startDriver } from "../load/driver.ts";
import type { Transport } from "./keyd.ts";
import { NODE_WARM_UP_CALLS, type Peer } from "./peer.ts";

/** @google-cloud/kms called in a loop, with no key service around it. */
export function createGooglePeer(transport: Transport): Peer {
  return {
    title: `@google-cloud/kms bare, ${transport === "rest" ? "REST" : "gRPC"}`,
    needsTls: transport === "grpc",
    warmUpCalls: NODE_WARM_UP_CALLS,
    async start({ upstream, serviceAccountFile, directory }) {
      // grpc-js takes no IP address for the name in TLS; the certificate has both.
      const url = upstream.url.replace("127.0.0.1", "localhost");
      const args = [url, serviceAccountFile, transport];
      const env = upstream.caFile === undefined ? {} : trust(upstream.caFile);
      const driver = await startDriver("../peers/google-client.ts", args, directory, env);
      return { ...driver, address: undefined, driverPid: undefined };
    },
  };
}

function trust(caFile: string) {
  return { NODE_EXTRA_CA_CERTS: caFile, GRPC_DEFAULT_SSL_ROOTS_FILE_PATH: caFile };
}
