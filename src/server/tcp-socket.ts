import type { Server } from "node:net";
import { renderAddress } from "../config/address.ts";
import type { TcpListenerConfig } from "../config/config.ts";
import { LISTEN_BACKLOG } from "./backlog.ts";
import { ListenError } from "./listen-error.ts";

/**
 * @returns the address, with the port that the system chose where the config says 0
 * @throws ListenError
 */
export async function listenOnTcp(server: Server, config: TcpListenerConfig): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once("error", (error: NodeJS.ErrnoException) => {
    const remedy = error.code === "EADDRINUSE" ? "another program is listening there; end it or choose another" : "";
    const address = renderAddress(config);
    reject(new ListenError(`${address}: can't listen there (${error.code}) ${remedy}`.trimEnd(), { cause: error }));
  });
  server.listen({ port: config.port, host: config.host, backlog: LISTEN_BACKLOG }, resolve);
  await promise;
  const bound = server.address();
  return renderAddress({ ...config, port: typeof bound === "object" && bound !== null ? bound.port : config.port });
}

/** Takes no more connections; resolves when those that are open have ended. */
export function closeServer(server: Server): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  server.close(() => resolve());
  return promise;
}
