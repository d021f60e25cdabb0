import {
  Client,
  type ClientOptions,
  connectivityState,
  credentials,
  Metadata,
  type ServiceError,
  status,
} from "@grpc/grpc-js";
import { isLoopbackHost } from "../config/address.ts";
import { abortReason } from "../core/deadline.ts";
import { withBrackets } from "../core/host.ts";
import type { Secret } from "../core/secret.ts";
import { tlsByAddress } from "../network/tls-by-address.ts";
import type { ServerUrl } from "./server-url.ts";
import type { TlsIdentity } from "./tls-identity.ts";

/** One message to pass on, as it came. */
export interface RelayedCall {
  /** `/KeyService/Decrypt` */
  readonly path: string;
  /** Encoded. */
  readonly request: Buffer;
  /** Wall clock, milliseconds since the Unix epoch. */
  readonly deadlineAtMs: number;
}

export type RemoteOutcome =
  | { readonly kind: "answered"; readonly response: Buffer }
  /** The server's own words. */
  | { readonly kind: "refused"; readonly code: status; readonly details: string }
  /** There was no server to ask. */
  | { readonly kind: "unreachable"; readonly reason: string };

export interface RemoteServer {
  readonly url: string;
  /** @throws KeyServiceError the signal's reason */
  ask(call: RelayedCall, token: Secret | undefined, signal: AbortSignal): Promise<RemoteOutcome>;
  close(): void;
}

/** Connecting is given up after this, so that there is time for another server. */
const CONNECT_TIMEOUT_MS = 3_000;
const KEEPALIVE_MS = 60_000;
const KEEPALIVE_TIMEOUT_MS = 5_000;

/** How grpc-js itself says, as UNAVAILABLE, that it has no connection. */
const NO_CONNECTION = /^(?:No connection established|Connection dropped|Name resolution failed|Failed to connect)/;
const LAST_ERROR = /Last error: (.*?)(?:\. Resolution note:.*)?$/s;

/** Node's advice on its own command line, where ours is --ca. */
const NODE_HINT = /; if the root CA is installed locally, try running Node\.js with --use-system-ca$/;

const unchanged = (message: Buffer): Buffer => message;

/** A connection to one server, made when it is first asked and whenever the files of its TLS identity changed. */
export function createRemoteServer(server: ServerUrl, identity: TlsIdentity): RemoteServer {
  const byAddress = server.kind === "tls" && identity.serverName === undefined ? tlsByAddress(server.host) : undefined;
  let client: Client | undefined;
  let version = -1;

  function currentClient(): Client {
    const newest = identity.current();
    if (client !== undefined && newest.version === version) return client;
    // Calls in flight on the old one end on it.
    client?.close();
    version = newest.version;
    const channel =
      server.kind === "tls"
        ? credentials.createFromSecureContext(newest.context, byAddress?.verify ?? {})
        : credentials.createInsecure();
    const target = server.kind === "tls" ? `dns:///${withBrackets(server.host)}:${server.port}` : server.target;
    client = new Client(target, channel, optionsFor(server, identity.serverName ?? byAddress?.name));
    return client;
  }

  return {
    url: server.url,
    async ask(call, token, signal) {
      const untilMs = Math.min(call.deadlineAtMs, Date.now() + CONNECT_TIMEOUT_MS);
      for (;;) {
        const current = currentClient();
        const readiness = await waitForConnection(current, untilMs);
        // New files came meanwhile, and with the next call a client of theirs.
        if (readiness === "closed" && current !== client) continue;
        if (readiness === "can_be_asked") return await request(current, call, token, signal);
        return { kind: "unreachable", reason: `no connection within ${CONNECT_TIMEOUT_MS / 1_000} s` };
      }
    },
    close: () => client?.close(),
  };
}

function optionsFor(server: ServerUrl, serverName: string | undefined): ClientOptions {
  const isNear = server.kind === "local" || isLoopbackHost(server.host);
  return {
    "grpc.keepalive_time_ms": KEEPALIVE_MS,
    "grpc.keepalive_timeout_ms": KEEPALIVE_TIMEOUT_MS,
    "grpc.initial_reconnect_backoff_ms": 100,
    "grpc.max_reconnect_backoff_ms": CONNECT_TIMEOUT_MS,
    "grpc.enable_retries": 0,
    ...(isNear ? { "grpc.enable_http_proxy": 0 } : {}),
    ...(serverName === undefined ? {} : { "grpc.ssl_target_name_override": serverName }),
  };
}

/** `late` where it is still connecting when the time is over. One that failed to connect is asked: it says why. */
async function waitForConnection(client: Client, deadlineAtMs: number): Promise<"can_be_asked" | "closed" | "late"> {
  const channel = client.getChannel();
  for (;;) {
    // Asked to connect, a closed channel would do so, with the certificate of before and for nobody.
    if (channel.getConnectivityState(false) === connectivityState.SHUTDOWN) return "closed";
    const state = channel.getConnectivityState(true);
    if (state === connectivityState.READY || state === connectivityState.TRANSIENT_FAILURE) return "can_be_asked";
    const { promise, resolve } = Promise.withResolvers<boolean>();
    channel.watchConnectivityState(state, deadlineAtMs, (error) => resolve(error === undefined || error === null));
    if (!(await promise)) return "late";
  }
}

function request(
  client: Client,
  { path, request: message, deadlineAtMs }: RelayedCall,
  token: Secret | undefined,
  signal: AbortSignal,
): Promise<RemoteOutcome> {
  if (signal.aborted) return Promise.reject(abortReason(signal));
  const { promise, resolve, reject } = Promise.withResolvers<RemoteOutcome>();
  const metadata = new Metadata();
  if (token !== undefined) metadata.set("authorization", `Bearer ${token.reveal()}`);
  const call = client.makeUnaryRequest(
    path,
    unchanged,
    unchanged,
    message,
    metadata,
    { deadline: deadlineAtMs },
    (error: ServiceError | null, response?: Buffer) => {
      signal.removeEventListener("abort", onAbort);
      resolve(error === null ? { kind: "answered", response: response ?? Buffer.alloc(0) } : describe(error));
    },
  );
  const onAbort = () => {
    call.cancel();
    reject(abortReason(signal));
  };
  signal.addEventListener("abort", onAbort, { once: true });
  return promise;
}

function describe({ code, details }: ServiceError): RemoteOutcome {
  if (code !== status.UNAVAILABLE || !NO_CONNECTION.test(details)) return { kind: "refused", code, details };
  const reason = LAST_ERROR.exec(details)?.[1] ?? details;
  return { kind: "unreachable", reason: reason.replace(/^Error: /, "").replace(NODE_HINT, "") };
}
