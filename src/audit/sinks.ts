import type { AuditConfig } from "../config/config.ts";
import type { Clock } from "../core/clock.ts";
import type { Sink } from "./sink.ts";

export interface SinkSurroundings {
  readonly clock: Clock;
  readonly warn: (message: string) => void;
  readonly version: string;
}

/**
 * Makes the sinks that the config names, and loads no library but theirs.
 *
 * @throws AuditOpenError
 */
export async function openSinks(config: AuditConfig, surroundings: SinkSurroundings): Promise<readonly Sink[]> {
  const { clock, warn } = surroundings;
  const sinks: Sink[] = [];
  // Without a file the chain itself goes there.
  if (config.stdout && config.file !== undefined) {
    const { createStdoutSink } = await import("./stdout-sink.ts");
    sinks.push(createStdoutSink(process.stdout, clock, warn));
  }
  if (config.syslog !== undefined) {
    const { createSyslogSink } = await import("./syslog-sink.ts");
    sinks.push(createSyslogSink(config.syslog, clock, warn));
  }
  if (config.otlp !== undefined) {
    const { createOtlpSink } = await import("./otlp-sink.ts");
    sinks.push(createOtlpSink({ ...config.otlp, ...surroundings }));
  }
  return sinks;
}
