import type { AuditConfig } from "../config/config.ts";
import type { Clock } from "../core/clock.ts";
import type { Sink } from "./sink.ts";

export interface SinkSurroundings {
  readonly clock: Clock;
  readonly warn: (message: string) => void;
  readonly version: string;
}

/** Makes the sinks that the config names, and loads no library but theirs. */
export async function openSinks(_config: AuditConfig, _surroundings: SinkSurroundings): Promise<readonly Sink[]> {
  return [];
}
