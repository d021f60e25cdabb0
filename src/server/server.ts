import { Server as GrpcServer } from "@grpc/grpc-js";
import { HealthImplementation } from "grpc-health-check";
import { renderAddress } from "../config/address.ts";
import type { LimitsConfig, ListenerConfig } from "../config/config.ts";
import type { Clock } from "../core/clock.ts";
import type { KeyService } from "../key-service.ts";
import { createCalls } from "./calls.ts";
import { type Listener, openListener, originOf } from "./listener.ts";
import { loadProtocol, type Protocol, SERVICE_NAME } from "./protocol.ts";
import { addReflection } from "./reflection.ts";

export interface KeyServer {
  /** Where it listens, in the order of the config. */
  readonly addresses: readonly string[];
  /**
   * Takes no more calls, lets those in flight end for `limits.drainMs` at most, and resolves when all is closed.
   *
   * @returns whether all calls in flight were answered
   */
  drain(): Promise<boolean>;
}

/**
 * The gRPC server: one grpc-js server for each listener, so that a call knows which listener it came by.
 *
 * @throws ListenError; what was opened before is closed again
 */
export async function startServer(
  listeners: readonly ListenerConfig[],
  limits: LimitsConfig,
  service: KeyService,
  clock: Clock,
): Promise<KeyServer> {
  const protocol = loadProtocol();
  const health = new HealthImplementation({ "": "SERVING", [SERVICE_NAME]: "SERVING" });
  const open: { readonly listener: Listener; readonly grpc: GrpcServer }[] = [];
  const stopListening = () => {
    for (const { listener } of open) listener.stop();
  };
  try {
    for (const config of listeners) {
      const grpc = createGrpcServer(protocol, limits);
      // The system may choose the port: until it has, no call can come.
      let origin = originOf(config, renderAddress(config));
      grpc.addService(protocol.keyService, { ...createCalls(service, () => origin, clock) });
      health.addToServer(grpc);
      const listener = await openListener(config, grpc, limits);
      origin = originOf(config, listener.address);
      open.push({ listener, grpc });
    }
  } catch (thrown) {
    stopListening();
    throw thrown;
  }
  return {
    addresses: open.map(({ listener }) => listener.address),
    async drain() {
      health.setStatus("", "NOT_SERVING");
      health.setStatus(SERVICE_NAME, "NOT_SERVING");
      stopListening();
      const ended = await Promise.all(open.map(({ grpc }) => shutDown(grpc, limits.drainMs, clock)));
      return ended.every(Boolean);
    },
  };
}

function createGrpcServer(protocol: Protocol, limits: LimitsConfig): GrpcServer {
  const server = new GrpcServer({
    "grpc.max_receive_message_length": limits.maxMessageBytes,
    "grpc.max_send_message_length": limits.maxMessageBytes,
    "grpc.max_concurrent_streams": limits.maxStreamsPerConnection,
    "grpc.max_connection_idle_ms": limits.connectionIdleMs,
    "grpc.max_connection_age_ms": limits.connectionAgeMs,
    "grpc.max_connection_age_grace_ms": limits.drainMs,
    "grpc.enable_channelz": 0,
  });
  addReflection(server, protocol.reflected);
  return server;
}

/** @returns false where calls were still in flight when the time was over */
function shutDown(grpc: GrpcServer, drainMs: number, clock: Clock): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const cancelTimer = clock.schedule(drainMs, () => {
    grpc.forceShutdown();
    resolve(false);
  });
  grpc.tryShutdown(() => {
    cancelTimer();
    resolve(true);
  });
  return promise;
}
