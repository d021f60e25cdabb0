import { createSecureContext } from "node:tls";
import { type ChannelCredentials, type ChannelOptions, credentials, type VerifyOptions } from "@grpc/grpc-js";
import { withoutBrackets } from "../core/host.ts";
import { NOBODYS_NAME, tlsByAddress } from "../network/tls-by-address.ts";

/** By what a server is known that is asked by TLS. */
export interface HealthTrust {
  /** PEM. */
  readonly certificates: string;
  /** `server`: they are the server's own, whatever its address; `authorities`: they have issued one for its address. */
  readonly of: "server" | "authorities";
}

/** Whoever has the server's own certificate is the server. */
const ITSELF: VerifyOptions = { checkServerIdentity: () => undefined };

/** @param target host and port */
export function secureChannel(
  target: string,
  { certificates, of }: HealthTrust,
): { readonly secured: ChannelCredentials; readonly options: ChannelOptions } {
  const host = withoutBrackets(target.replace(/:\d+$/, ""));
  const isServers = of === "server";
  const context = createSecureContext({
    ca: certificates,
    minVersion: "TLSv1.3",
    // The first of them is no CA's: it is trusted for what it is.
    allowPartialTrustChain: isServers,
  });
  const special = isServers ? { name: NOBODYS_NAME, verify: ITSELF } : tlsByAddress(host);
  const secured = credentials.createFromSecureContext(context, special?.verify ?? {});
  return { secured, options: special === undefined ? {} : { "grpc.ssl_target_name_override": special.name } };
}
