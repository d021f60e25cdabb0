import { buildConnector, Pool } from "undici";
import { trustIn } from "./trust.ts";

/** Enough that 64 calls at once do not wait for each other, few enough for `ulimit -n 256`. */
const MAX_CONNECTIONS = 64;
/** Google's front ends close idle connections after about four minutes; ours must be the first to let go. */
const KEEP_ALIVE_MS = 60_000;
const CONNECT_TIMEOUT_MS = 3_000;
/** A KMS answer is at most 64 KiB of ciphertext in base64, plus names. */
const MAX_ANSWER_BYTES = 256 * 1024;

/**
 * A bounded pool of keep-alive connections to one origin.
 *
 * @param ca certificates in PEM form that are trusted; undefined: Node's own
 */
export function createEndpointPool(origin: string, ca: readonly string[] | undefined): Pool {
  return new Pool(origin, {
    connections: MAX_CONNECTIONS,
    pipelining: 1,
    keepAliveTimeout: KEEP_ALIVE_MS,
    keepAliveMaxTimeout: KEEP_ALIVE_MS,
    maxResponseSize: MAX_ANSWER_BYTES,
    // The call's own signal is the deadline; undici's timers would only add a second, coarser one.
    headersTimeout: 0,
    bodyTimeout: 0,
    allowH2: false,
    connect: createConnector(ca),
  });
}

/** With one TLS context for all connections. Left to itself, each would make its own. */
function createConnector(ca: readonly string[] | undefined): buildConnector.connector {
  let connector: buildConnector.connector | undefined;
  return (options, callback) => {
    connector ??= buildConnector({
      timeout: CONNECT_TIMEOUT_MS,
      allowH2: false,
      secureContext: trustIn(ca),
    });
    connector(options, callback);
  };
}
