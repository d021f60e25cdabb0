import type { LimitsConfig, ListenerConfig } from "../../../src/config/config.ts";

/** Small enough for a test to meet them. */
export function serverLimits(): LimitsConfig {
  return {
    maxConnections: 2,
    maxStreamsPerConnection: 10,
    maxCalls: 100,
    maxMessageBytes: 4096,
    handshakeMs: 10_000,
    connectionIdleMs: 60_000,
    connectionAgeMs: 60_000,
    drainMs: 10_000,
  };
}

export const TCP_LISTENER: ListenerConfig = {
  kind: "tcp",
  host: "127.0.0.1",
  port: 0,
  insecure: false,
  caller: "tcp-caller",
};
