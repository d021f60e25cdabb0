import { Server as GrpcServer, logVerbosity, setLogVerbosity } from "@grpc/grpc-js";
import { PeerCredentialsError } from "../access/socket-calls.ts";
import { createPeerReader, type ReadPeer } from "../access/unix-peer.ts";
import type { LimitsConfig, ListenerConfig } from "../config/config.ts";
import type { Clock } from "../core/clock.ts";
import type { KeyService } from "../key-service.ts";
import { type Calls, createCalls } from "./calls.ts";
import { type Connections, createConnections } from "./connections.ts";
import type { ReportServerEvent } from "./events.ts";
import { createHealth } from "./health.ts";
import { ListenError } from "./listen-error.ts";
import { type Listener, openListener } from "./listener.ts";
import { KEY_SERVICE } from "./protocol.ts";
import { addReflection } from "./reflection.ts";

export interface KeyServer {
  /** Where it listens, in the order of the config. */
  readonly addresses: readonly string[];
  /**
   * From now on it is known which process has connected to a unix socket; also of connections that are open already.
   *
   * @throws ListenError where this system cannot tell, with the reason
   */
  identifyPeers(): void;
  /** Looks whether the files of the listeners' tls have changed, beside the times at which it looks anyway. */
  renewCertificates(): Promise<void>;
  /**
   * Takes no more calls, lets those in flight end for `limits.drainMs` at most, and resolves when all is closed.
   *
   * @returns whether all calls in flight were answered
   */
  drain(): Promise<boolean>;
}

export interface ServerOptions {
  /** As {@link KeyServer.identifyPeers}, from the first connection on. */
  readonly identifyPeers?: boolean;
  /** Told of what happens beside calls. */
  readonly report?: ReportServerEvent;
}

interface OpenListener {
  readonly connections: Connections;
  readonly listener: Listener;
  readonly grpc: GrpcServer;
}

/**
 * The gRPC server: one grpc-js server for each listener, so that a call knows which listener it came by.
 *
 * @throws ListenError; what was opened before is closed again
 */
export function startServer(
  listeners: readonly ListenerConfig[],
  limits: LimitsConfig,
  service: KeyService,
  clock: Clock,
  options: ServerOptions = {},
): Promise<KeyServer> {
  const implement = ({ originOf }: Connections) => createCalls(service, originOf, clock);
  return startCallServer(listeners, limits, implement, clock, options);
}

/** The same for any implementation of the two methods. @throws ListenError */
export async function startCallServer(
  listeners: readonly ListenerConfig[],
  limits: LimitsConfig,
  implement: (connections: Connections) => Calls,
  clock: Clock,
  options: ServerOptions = {},
): Promise<KeyServer> {
  // It prints headers that it cannot read, whole: a token with one wrong byte would be in the journal.
  setLogVerbosity(logVerbosity.NONE);
  const { report = () => {} } = options;
  const hasSockets = listeners.some(({ kind }) => kind === "unix");
  let readPeer = options.identifyPeers === true && hasSockets ? findPeerReader() : undefined;
  const health = createHealth();
  const receiver = { limits, clock, report, readPeer: () => readPeer };
  const open: OpenListener[] = [];
  try {
    for (const config of listeners) {
      const grpc = createGrpcServer(limits);
      const connections = createConnections(clock);
      grpc.addService(KEY_SERVICE, { ...implement(connections) });
      health.addTo(grpc);
      const listener = await openListener(config, { ...receiver, grpc, connections });
      open.push({ listener, connections, grpc });
    }
  } catch (thrown) {
    await shutDown(open, 0, clock);
    throw thrown;
  }
  return {
    addresses: open.map(({ listener }) => listener.address),
    identifyPeers() {
      if (readPeer !== undefined || !hasSockets) return;
      readPeer = findPeerReader();
      for (const { connections } of open) connections.readmit();
    },
    async renewCertificates() {
      await Promise.all(open.map(({ listener }) => listener.renewCertificates()));
    },
    drain() {
      health.end();
      return shutDown(open, limits.drainMs, clock);
    },
  };
}

function findPeerReader(): ReadPeer {
  try {
    return createPeerReader();
  } catch (thrown) {
    if (!(thrown instanceof PeerCredentialsError)) throw thrown;
    const message = `callers with unix need to know who connects, and that can't be told: ${thrown.message}`;
    throw new ListenError(message, { cause: thrown });
  }
}

function createGrpcServer(limits: LimitsConfig): GrpcServer {
  const server = new GrpcServer({
    "grpc.max_receive_message_length": limits.maxMessageBytes,
    "grpc.max_send_message_length": limits.maxMessageBytes,
    "grpc.max_concurrent_streams": limits.maxStreamsPerConnection,
    "grpc.max_connection_idle_ms": limits.connectionIdleMs,
    "grpc.max_connection_age_ms": limits.connectionAgeMs,
    "grpc.max_connection_age_grace_ms": limits.drainMs,
    "grpc.enable_channelz": 0,
  });
  addReflection(server);
  return server;
}

/**
 * Tells every client that no more calls are taken, and ends each connection with its last call.
 *
 * It is over when the sockets are closed, which we accepted ourselves. `tryShutdown` calls back too early, since
 * Node's http2 server closes its sessions as well, and grpc-js takes a closing session for one that has ended;
 * `forceShutdown` knows of no sessions where channelz is off.
 *
 * @returns false where calls were still in flight when the time was over
 */
async function shutDown(open: readonly OpenListener[], drainMs: number, clock: Clock): Promise<boolean> {
  const ended = Promise.all(open.map(({ listener }) => listener.stop()));
  for (const { grpc } of open) grpc.tryShutdown(() => {});
  let answered = true;
  const cancelTimer = clock.schedule(drainMs, () => {
    answered = false;
    for (const { listener } of open) listener.cut();
  });
  await ended.finally(cancelTimer);
  return answered;
}
