import type { Socket } from "node:net";
import type { CallOrigin } from "../backends/backend.ts";
import type { Clock } from "../core/clock.ts";
import { KeyServiceError } from "../core/errors.ts";

/** What is known of a connection before its first byte is served. */
export interface Admission {
  readonly origin: CallOrigin;
  /** When its proof ends (milliseconds since the Unix epoch); undefined: with the connection. */
  readonly validUntilMs?: number;
}

/** Finds out who has connected. */
export type Admit<S extends Socket = Socket> = (socket: S) => Admission;

/** The open connections of one listener, and who is at the other end of each. */
export interface Connections {
  /** Makes a socket one that calls can be traced to; before gRPC gets it. */
  add<S extends Socket>(socket: S, admit: Admit<S>): Admission;
  /**
   * Where a call comes from.
   *
   * @throws KeyServiceError `cancelled` where its connection is gone
   */
  originOf(call: PeerOfCall): CallOrigin;
  /** Finds out anew about all that are open: the config may ask now for what nobody had to know before. */
  readmit(): void;
}

/** What grpc-js shows of a call's connection. */
export interface PeerOfCall {
  getPeer(): string;
}

interface Entry {
  readonly admit: () => Admission;
  admission: Admission;
}

/**
 * grpc-js shows a call no more of its connection than the remote address of its socket. On a unix socket that is
 * nothing, and on TCP two connections can share it, if the listener has several addresses. So each accepted socket
 * gets an address of our own, which nobody else has and no client can choose.
 */
export function createConnections(clock: Clock): Connections {
  const entries = new Map<string, Entry>();
  let accepted = 0;
  return {
    add(socket, admit) {
      accepted += 1;
      const id = `connection-${accepted}`;
      const entry: Entry = { admit: () => admit(socket), admission: admit(socket) };
      Object.defineProperties(socket, { remoteAddress: { value: id }, remotePort: { value: undefined } });
      entries.set(id, entry);
      socket.once("close", () => entries.delete(id));
      return entry.admission;
    },
    originOf(call) {
      const admission = entries.get(call.getPeer())?.admission;
      if (admission === undefined) throw connectionGone();
      const { origin, validUntilMs } = admission;
      if (validUntilMs === undefined || clock.nowMs() < validUntilMs) return origin;
      return { ...origin, refusal: proofExpired() };
    },
    readmit() {
      for (const entry of entries.values()) entry.admission = entry.admit();
    },
  };
}

function connectionGone(): KeyServiceError {
  return new KeyServiceError("cancelled", {
    problem: "the connection ended before its call was read",
    remedy: "try again",
  });
}

function proofExpired(): KeyServiceError {
  return new KeyServiceError("caller_unauthenticated", {
    problem: "the client certificate of this connection has expired since it was opened",
    remedy: "renew the certificate and connect again",
  });
}
