import { createServer, type Socket, type Server as SocketServer } from "node:net";
import type { Server as GrpcServer } from "@grpc/grpc-js";
import { ServerCredentials } from "@grpc/grpc-js";
import { callerAt } from "../access/caller.ts";
import type { ReadPeer } from "../access/unix-peer.ts";
import { isLocalAddress, renderAddress } from "../config/address.ts";
import type { LimitsConfig, ListenerConfig, TcpListenerConfig } from "../config/config.ts";
import type { Admit, Connections } from "./connections.ts";
import { ListenError } from "./listen-error.ts";
import { createUnixAdmit } from "./unix-admission.ts";
import { listenOnUnixSocket } from "./unix-socket.ts";

export interface Listener {
  /** As a sops user writes it: `unix:///run/…`, `tcp://127.0.0.1:5000` with the port that was really taken. */
  readonly address: string;
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
  /** Undefined as long as nobody needs to know which process has connected. */
  readonly readPeer: () => ReadPeer | undefined;
}

/**
 * Accepts connections itself and hands each to the gRPC server: so the listener knows who connects before the first
 * byte is served, and grpc-js' own binding, which leaves sockets behind for all to open, is not needed.
 *
 * @throws ListenError
 */
export async function openListener(config: ListenerConfig, receiver: Receiver): Promise<Listener> {
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
  const cut = () => {
    for (const socket of open) socket.destroy();
  };
  if (config.kind === "tcp") {
    // The system may choose the port: until it has, nobody can connect.
    const address = renderAddress({ ...config, port: await listenOnTcp(sockets, config) });
    admit = createAdmit(config, address, receiver);
    return { address, stop: () => close(sockets), cut };
  }
  const unixSocket = await listenOnUnixSocket(sockets, config);
  return {
    address: renderAddress(config),
    stop() {
      unixSocket.remove();
      return close(sockets);
    },
    cut,
  };
}

function createAdmit(config: ListenerConfig, address: string, { readPeer }: Receiver): Admit {
  if (config.kind === "unix") return createUnixAdmit(config, address, readPeer);
  const origin = { caller: callerAt(address, config.caller), listenerIsLocal: isLocalAddress(config) };
  return () => ({ origin });
}

function close(sockets: SocketServer): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  sockets.close(() => resolve());
  return promise;
}

/** @returns the port, which the system chose where the config says 0 */
async function listenOnTcp(sockets: SocketServer, config: TcpListenerConfig): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  sockets.once("error", (error: NodeJS.ErrnoException) => {
    const remedy = error.code === "EADDRINUSE" ? "another program is listening there; end it or choose another" : "";
    const address = renderAddress(config);
    reject(new ListenError(`${address}: can't listen there (${error.code}) ${remedy}`.trimEnd(), { cause: error }));
  });
  sockets.listen(config.port, config.host, resolve);
  await promise;
  const address = sockets.address();
  return typeof address === "object" && address !== null ? address.port : config.port;
}
