import { callerAt } from "../access/caller.ts";
import { PeerCredentialsError } from "../access/socket-calls.ts";
import type { ReadPeer } from "../access/unix-peer.ts";
import type { UnixListenerConfig } from "../config/config.ts";
import { KeyServiceError } from "../core/errors.ts";
import type { Admit } from "./connections.ts";

/**
 * Whoever comes by a unix socket: it could open the socket, and where somebody wants to know, the kernel says which
 * process it is.
 *
 * @param readPeer asked for each connection; undefined as long as no caller of the config is told by it
 */
export function createUnixAdmit(
  { caller }: UnixListenerConfig,
  address: string,
  readPeer: () => ReadPeer | undefined,
): Admit {
  const unknown = { caller: callerAt(address, caller), listenerIsLocal: true };
  return (socket) => {
    const read = readPeer();
    if (read === undefined) return { origin: unknown };
    try {
      const proofs = [...unknown.caller.proofs, read(socket)];
      return { origin: { ...unknown, caller: { ...unknown.caller, proofs } } };
    } catch (thrown) {
      if (thrown instanceof PeerCredentialsError) return { origin: { ...unknown, refusal: peerUnknown(thrown) } };
      throw thrown;
    }
  };
}

function peerUnknown(cause: PeerCredentialsError): KeyServiceError {
  return new KeyServiceError("caller_unauthenticated", {
    problem: `it is not known who has connected: ${cause.message}`,
    remedy: "connect again; if it stays, name callers by their listeners instead of by unix",
    cause,
  });
}
