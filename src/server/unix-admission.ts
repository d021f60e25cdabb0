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
      // Whatever it is: a connection without a known peer is refused, and takes no other with it.
      return { origin: { ...unknown, refusal: peerUnknown(thrown) } };
    }
  };
}

function peerUnknown(cause: unknown): KeyServiceError {
  return new KeyServiceError("caller_unauthenticated", {
    problem: `it is not known who has connected: ${reasonOf(cause)}`,
    remedy: "connect again; if it stays, name callers by their listeners instead of by unix",
    cause,
  });
}

function reasonOf(cause: unknown): string {
  return cause instanceof PeerCredentialsError ? cause.message : "the kernel could not be asked";
}
