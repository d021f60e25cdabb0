import { parseDuration } from "../config/duration.ts";
import { LOG_LEVELS, type LogLevel } from "../telemetry/log.ts";
import { CommandError, EXIT_USAGE } from "./exit.ts";

/** @returns milliseconds */
export function parseDurationOption(option: string, text: string): number {
  const durationMs = parseDuration(text);
  if (durationMs !== undefined) return durationMs;
  throw new CommandError(`${option} ${text}: write a duration as 500ms, 10s, 10m or 1h`, { exitCode: EXIT_USAGE });
}

export function parseLogLevelOption(text: string): LogLevel {
  const level = LOG_LEVELS.find((known) => known === text);
  if (level !== undefined) return level;
  throw new CommandError(`--log-level ${text}: choose one of ${LOG_LEVELS.join(", ")}`, { exitCode: EXIT_USAGE });
}
