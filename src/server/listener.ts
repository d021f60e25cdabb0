import { createServer, type Socket } from "node:net";
import type { Server as GrpcServer } from "@grpc/grpc-js";
import { ServerCredentials } from "@grpc/grpc-js";
import { callerAt } from "../access/caller.ts";
import type { ReadPeer } from "../access/unix-peer.ts";
import { isLocalAddress, renderAddress } from "../config/address.ts";
import type { LimitsConfig, ListenerConfig } from "../config/config.ts";
import type { Clock } from "../core/clock.ts";
import type { Admit, Connections } from "./connections.ts";
import type { ReportServerEvent } from "./events.ts";
import { closeServer, listenOnTcp } from "./tcp-socket.ts";
import { createUnixAdmit } from "./unix-admission.ts";
import { listenOnUnixSocket } from "./unix-socket.ts";

export interface Listener {
  /** As a sops user writes it: `unix:///run/…`, `tcp://127.0.0.1:5000` with the port that was really taken. */
  readonly address: string;
  /** Looks whether the files of its tls have changed; resolves when new ones are in use, or were found bad. */
  renewCertificates(): Promise<void>;
  /** Takes no more connections. Those that are open stay; resolves when the last of them has ended. */
  stop(): Promise<void>;
  /** Ends the connections that are open; the calls on them are cancelled. */
  cut(): void;
}

/** What a listener hands its connections to. */
export interface Receiver {
  readonly grpc: GrpcServer;
  readonly connections: Connections;
  readonly limits: LimitsConfig;
  readonly clock: Clock;
  /** Undefined as long as nobody needs to know which process has connected. */
  readonly readPeer: () => ReadPeer | undefined;
  readonly report: ReportServerEvent;
}

/**
 * Accepts connections itself and hands each to the gRPC server: so the listener knows who connects before the first
 * byte is served, and grpc-js' own binding, which leaves sockets behind for all to open, is not needed.
 *
 * @throws ListenError
 */
export async function openListener(config: ListenerConfig, receiver: Receiver): Promise<Listener> {
  if (config.kind === "tcp" && config.tls !== undefined) {
    const { openTlsListener } = await import("./tls-listener.ts");
    return openTlsListener(config, config.tls, receiver);
  }
  const injector = receiver.grpc.createConnectionInjector(ServerCredentials.createInsecure());
  const open = new Set<Socket>();
  let admit: Admit = createAdmit(config, renderAddress(config), receiver);
  const sockets = createServer({ noDelay: true }, (socket) => {
    open.add(socket);
    socket.once("close", () => open.delete(socket));
    receiver.connections.add(socket, admit);
    injector.injectConnection(socket);
  });
  sockets.maxConnections = receiver.limits.maxConnections;
  const common = {
    renewCertificates: () => Promise.resolve(),
    cut() {
      for (const socket of open) socket.destroy();
    },
  };
  if (config.kind === "tcp") {
    // The system may choose the port: until it has, nobody can connect.
    const address = await listenOnTcp(sockets, config);
    admit = createAdmit(config, address, receiver);
    return { ...common, address, stop: () => closeServer(sockets) };
  }
  const unixSocket = await listenOnUnixSocket(sockets, config);
  return {
    ...common,
    address: renderAddress(config),
    stop() {
      unixSocket.remove();
      return closeServer(sockets);
    },
  };
}

function createAdmit(config: ListenerConfig, address: string, { readPeer }: Receiver): Admit {
  if (config.kind === "unix") return createUnixAdmit(config, address, readPeer);
  const origin = { caller: callerAt(address, config.caller), listenerIsLocal: isLocalAddress(config) };
  return () => ({ origin });
}
