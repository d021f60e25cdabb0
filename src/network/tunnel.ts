import type { ConnectionOptions } from "node:tls";
import type { Agent, ProxyAgent } from "undici";
import type { HttpProxy } from "../config/proxy.ts";

/** What connections are made with: names of node:tls and node:net. */
export type ConnectOptions = Pick<ConnectionOptions, "lookup" | "secureContext" | "ca" | "cert" | "key">;

export interface TunnelOptions extends Omit<Agent.Options, "tls"> {
  /** To the endpoint behind the proxy. */
  readonly tls: ConnectOptions;
  /** To the proxy itself, where that is https; as `tls` unless given. */
  readonly proxyTls?: ConnectOptions;
  readonly connections: number;
  readonly connectTimeoutMs: number;
}

/**
 * Connections through a proxy: one CONNECT for each, TLS to the endpoint inside of it.
 *
 * Loads undici's proxy support, so that who has no proxy does not pay for it at the start.
 */
export async function createTunnel(proxy: HttpProxy, options: TunnelOptions): Promise<ProxyAgent> {
  const { ProxyAgent, Pool } = await import("undici");
  const { tls, proxyTls = tls, connectTimeoutMs, ...agentOptions } = options;
  return new ProxyAgent({
    ...agentOptions,
    uri: proxy.origin,
    ...(proxy.authorization === undefined ? {} : { token: proxy.authorization.reveal() }),
    // Also for the plain http of a test or an emulator: a proxy that reads along would read tokens.
    proxyTunnel: true,
    connectTimeout: connectTimeoutMs,
    requestTls: { ...tls },
    proxyTls: { ...proxyTls },
    // Without bounds of its own, a proxy that says nothing to CONNECT would hold a connection for five minutes.
    clientFactory: (origin, poolOptions) =>
      new Pool(origin, { ...poolOptions, connections: options.connections, headersTimeout: connectTimeoutMs }),
  });
}
