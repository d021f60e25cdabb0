import { isIP } from "node:net";
import { checkServerIdentity, createSecureContext } from "node:tls";
import { type ChannelCredentials, type ChannelOptions, credentials } from "@grpc/grpc-js";

/** By what a server is known that is asked by TLS. */
export interface HealthTrust {
  /** PEM. */
  readonly certificates: string;
  /** `server`: they are the server's own, whatever its address; `authorities`: they have issued one for its address. */
  readonly of: "server" | "authorities";
}

/** Node takes no IP address for SNI, and grpc-js gives it the one that it connects to. */
const NO_NAME = "localhost";

/** @param target host and port */
export function secureChannel(
  target: string,
  { certificates, of }: HealthTrust,
): { readonly secured: ChannelCredentials; readonly options: ChannelOptions } {
  const host = target.replace(/:\d+$/, "").replace(/^\[|\]$/g, "");
  const isServers = of === "server";
  const context = createSecureContext({
    ca: certificates,
    minVersion: "TLSv1.3",
    // The first of them is no CA's: it is trusted for what it is.
    allowPartialTrustChain: isServers,
  });
  const secured = credentials.createFromSecureContext(context, {
    checkServerIdentity: (_name, certificate) => (isServers ? undefined : checkServerIdentity(host, certificate)),
  });
  const named = isIP(host) === 0 && !isServers ? host : NO_NAME;
  return { secured, options: { "grpc.ssl_target_name_override": named } };
}
