import { createServer, type Socket, type Server as SocketServer } from "node:net";
import type { Server as GrpcServer } from "@grpc/grpc-js";
import { ServerCredentials } from "@grpc/grpc-js";
import { callerAt } from "../access/caller.ts";
import type { CallOrigin } from "../backends/backend.ts";
import { isLocalAddress, renderAddress } from "../config/address.ts";
import type { LimitsConfig, ListenerConfig, TcpListenerConfig } from "../config/config.ts";
import { ListenError } from "./listen-error.ts";
import { listenOnUnixSocket } from "./unix-socket.ts";

export interface Listener {
  /** As a sops user writes it: `unix:///run/…`, `tcp://127.0.0.1:5000` with the port that was really taken. */
  readonly address: string;
  /** Takes no more connections. Those that are open stay; resolves when the last of them has ended. */
  stop(): Promise<void>;
  /** Ends the connections that are open; the calls on them are cancelled. */
  cut(): void;
}

/**
 * Accepts connections itself and hands each to the gRPC server: so the listener knows who connects before the first
 * byte is served, and grpc-js' own binding, which leaves sockets behind for all to open, is not needed.
 *
 * @throws ListenError
 */
export async function openListener(config: ListenerConfig, grpc: GrpcServer, limits: LimitsConfig): Promise<Listener> {
  const injector = grpc.createConnectionInjector(ServerCredentials.createInsecure());
  const connections = new Set<Socket>();
  const sockets = createServer({ noDelay: true }, (socket) => {
    connections.add(socket);
    socket.once("close", () => connections.delete(socket));
    injector.injectConnection(socket);
  });
  sockets.maxConnections = limits.maxConnections;
  const cut = () => {
    for (const connection of connections) connection.destroy();
  };
  if (config.kind === "tcp") {
    const port = await listenOnTcp(sockets, config);
    return { address: renderAddress({ ...config, port }), stop: () => close(sockets), cut };
  }
  const unixSocket = await listenOnUnixSocket(sockets, config);
  return {
    address: `unix://${config.path}`,
    stop() {
      unixSocket.remove();
      return close(sockets);
    },
    cut,
  };
}

function close(sockets: SocketServer): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  sockets.close(() => resolve());
  return promise;
}

/** What every call that comes by this listener has in common. */
export function originOf(config: ListenerConfig, address: string): CallOrigin {
  return {
    caller: callerAt(address, config.caller),
    listenerIsLocal: isLocalAddress(config),
  };
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
