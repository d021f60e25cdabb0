import type { LookupFunction } from "node:net";
import { buildConnector, type Dispatcher, Pool } from "undici";
import type { HttpProxy } from "../config/proxy.ts";
import { type Clock, systemClock } from "../core/clock.ts";
import { joinedLookup } from "../network/joined-lookup.ts";
import { createLazyDispatcher } from "./lazy-dispatcher.ts";
import { createRenewedDispatcher } from "./renewed-dispatcher.ts";
import { trustIn } from "./trust.ts";

/** Enough that 64 calls at once do not wait for each other, few enough for `ulimit -n 256`. */
const MAX_CONNECTIONS = 64;
/** Google's front ends close idle connections after about four minutes; ours must be the first to let go. */
const KEEP_ALIVE_MS = 60_000;
/** The life that Google's DNS answers have: a connection that is in use all the time follows a changed one after that. */
const CONNECTION_AGE_MS = 300_000;
const CONNECT_TIMEOUT_MS = 3_000;
/** A KMS answer is at most 64 KiB of ciphertext in base64, plus names. */
const MAX_ANSWER_BYTES = 256 * 1024;

const POOL_OPTIONS = {
  connections: MAX_CONNECTIONS,
  pipelining: 1,
  keepAliveTimeout: KEEP_ALIVE_MS,
  keepAliveMaxTimeout: KEEP_ALIVE_MS,
  maxResponseSize: MAX_ANSWER_BYTES,
  // The call's own signal is the deadline; undici's timers would only add a second, coarser one.
  headersTimeout: 0,
  bodyTimeout: 0,
  allowH2: false,
} as const;

/** What sends requests to one endpoint. */
export type EndpointDispatcher = Pick<Dispatcher, "dispatch" | "destroy">;

export interface EndpointPoolOptions {
  /** Certificates in PEM form that are trusted; undefined: Node's own. */
  readonly ca?: readonly string[] | undefined;
  /** Undefined: the endpoint is reached directly. */
  readonly proxy?: HttpProxy | undefined;
  readonly lookup?: LookupFunction;
  readonly clock?: Clock;
}

/** A bounded pool of keep-alive connections to one origin. */
export function createEndpointPool(origin: string, options: EndpointPoolOptions = {}): EndpointDispatcher {
  const { ca, proxy, lookup = joinedLookup, clock = systemClock } = options;
  if (proxy === undefined) {
    const connect = createConnector(ca, lookup);
    return createRenewedDispatcher(() => new Pool(origin, { ...POOL_OPTIONS, connect }), CONNECTION_AGE_MS, clock);
  }
  return createLazyDispatcher(async () => {
    const { createTunnel } = await import("../network/tunnel.ts");
    const tls = { lookup, secureContext: trustIn(ca) };
    return createTunnel(proxy, {
      ...POOL_OPTIONS,
      clientTtl: CONNECTION_AGE_MS,
      tls,
      connectTimeoutMs: CONNECT_TIMEOUT_MS,
    });
  });
}

/** With one TLS context for all connections. Left to itself, each would make its own. */
function createConnector(ca: readonly string[] | undefined, lookup: LookupFunction): buildConnector.connector {
  let connector: buildConnector.connector | undefined;
  return (options, callback) => {
    connector ??= buildConnector({
      timeout: CONNECT_TIMEOUT_MS,
      allowH2: false,
      lookup,
      secureContext: trustIn(ca),
    });
    connector(options, callback);
  };
}
