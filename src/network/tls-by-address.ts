import { isIP } from "node:net";
import { checkServerIdentity } from "node:tls";
import type { VerifyOptions } from "@grpc/grpc-js";

/** Nobody's name: https://www.rfc-editor.org/rfc/rfc6761#section-6.4 */
export const NOBODYS_NAME = "address.invalid";

/** What grpc-js has to be told to reach a server over TLS by its address. */
export interface TlsByAddress {
  /** For `grpc.ssl_target_name_override`. */
  readonly name: string;
  readonly verify: VerifyOptions;
}

/**
 * grpc-js names every host in its handshake, where no address may stand (RFC 6066), and Node refuses. So a name stands in
 * that is in no certificate, and the certificate is held against the address itself.
 *
 * @param host without brackets
 * @returns undefined where it is a name: grpc-js needs to be told nothing
 */
export function tlsByAddress(host: string): TlsByAddress | undefined {
  if (isIP(host) === 0) return undefined;
  return {
    name: NOBODYS_NAME,
    verify: { checkServerIdentity: (_name, certificate) => checkServerIdentity(host, certificate) },
  };
}
