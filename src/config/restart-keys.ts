import { isDeepStrictEqual } from "node:util";
import type { LimitsConfig, ListenerConfig } from "./config.ts";

/** What a server is opened with. It is read at the start and no more: the rest of a config applies with a reload. */
export interface ServerConfig {
  readonly listeners: readonly ListenerConfig[];
  readonly limits: LimitsConfig;
}

/** Their names in the document. Exhaustive but for `maxCalls`, which a reload changes: a new limit does not compile here. */
const FIXED_LIMITS: Readonly<Record<Exclude<keyof LimitsConfig, "maxCalls">, string>> = {
  maxConnections: "maxConnections",
  maxStreamsPerConnection: "maxStreamsPerConnection",
  maxMessageBytes: "maxMessageBytes",
  handshakeMs: "handshake",
  connectionIdleMs: "connectionIdle",
  connectionAgeMs: "connectionAge",
  drainMs: "drain",
};

type FixedLimit = keyof typeof FIXED_LIMITS;

/** The keys, as `check` writes them, in which `next` differs from what runs and which only a restart applies. */
export function findRestartKeys(running: ServerConfig, next: ServerConfig): readonly string[] {
  const limits = (Object.keys(FIXED_LIMITS) as FixedLimit[]).filter((key) => running.limits[key] !== next.limits[key]);
  const names = limits.map((key) => `limits.${FIXED_LIMITS[key]}`);
  return [...compareListeners(running.listeners, next.listeners), ...names];
}

function compareListeners(running: readonly ListenerConfig[], next: readonly ListenerConfig[]): readonly string[] {
  if (running.length !== next.length) return ["listeners"];
  return running.flatMap((listener, index) =>
    findChangedKeys(listener, next[index]).map((key) => `listeners[${index}].${key}`),
  );
}

const ADDRESS_PARTS = ["kind", "path", "host", "port"];

function findChangedKeys(running: object, next: object = {}): readonly string[] {
  const after = new Map(Object.entries(next));
  const before = new Map(Object.entries(running));
  const changed = [...new Set([...before.keys(), ...after.keys()])]
    .filter((key) => !isDeepStrictEqual(before.get(key), after.get(key)))
    .map((key) => (ADDRESS_PARTS.includes(key) ? "address" : key));
  // A listener of another kind has other keys besides: its address says it all.
  return changed.includes("address") ? ["address"] : changed;
}
