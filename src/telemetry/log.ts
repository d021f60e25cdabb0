import { styleText } from "node:util";
import { createLogger, format, type Logger } from "winston";
import { describeCause } from "../core/describe-cause.ts";
import { type KeyServiceError, toPrintableLine } from "../core/errors.ts";
import type { CallRecord } from "./call-record.ts";
import { createStderrTransport, LINE } from "./stderr-transport.ts";

/** The fields of a log line. Values are text, numbers or truth: nothing that could carry more than it shows. */
export type LogFields = Readonly<Record<string, string | number | boolean | undefined>>;

export interface Log {
  error(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  debug(message: string, fields?: LogFields): void;
}

export type LogLevel = "error" | "warn" | "info" | "debug";
export const LOG_LEVELS: readonly LogLevel[] = ["error", "warn", "info", "debug"];

/** Lines for a person on a terminal, JSON for a program; always to stderr, so that stdout stays the command's. */
export function createLog(level: LogLevel, forTerminal: boolean): Log {
  const logger = createLogger({
    level,
    format: forTerminal ? terminalFormat() : jsonFormat(),
    transports: [createStderrTransport()],
  });
  return {
    error: write(logger, "error"),
    warn: write(logger, "warn"),
    info: write(logger, "info"),
    debug: write(logger, "debug"),
  };
}

function write(logger: Logger, level: LogLevel): Log["info"] {
  return (message, fields = {}) => {
    logger.log({ level, message, ...fields });
  };
}

/**
 * winston's own `timestamp` and `json` take 8 µs a line more than this, a twentieth of a whole call: they are made for
 * fields that may hold anything, and ours hold text, numbers and truth.
 */
function jsonFormat() {
  const finish = format((info) => {
    info[LINE] = JSON.stringify({ timestamp: new Date().toISOString(), ...info });
    return info;
  });
  return finish();
}

const COLOURS = { error: "red", warn: "yellow", info: "green", debug: "gray" } as const;

function terminalFormat() {
  return format.combine(
    format.timestamp({ format: "HH:mm:ss.SSS" }),
    format.printf(({ level, message, timestamp, ...fields }) => {
      const colour = COLOURS[level as LogLevel];
      const details = Object.entries(fields)
        .filter(([, value]) => value !== undefined)
        .map(([name, value]) => `${styleText("gray", `${name}=`, { stream: process.stderr })}${String(value)}`);
      const head = styleText(colour, level.padEnd(5), { stream: process.stderr });
      return [String(timestamp), head, String(message), ...details].join(" ");
    }),
  );
}

/** One line for each call: info where it was answered, warn where it was refused or failed. */
export function logCall(log: Log, call: CallRecord): void {
  const fields: LogFields = {
    requestId: call.requestId,
    key: toPrintableLine(call.key),
    listener: call.caller.listener,
    caller: call.caller.names.length === 0 ? undefined : call.caller.names.join(","),
    rule: call.rule ?? call.error?.detail.rule,
    source: call.source ?? call.error?.detail.source,
    principal: call.principal ?? call.error?.detail.principal,
    approvedBy: call.approvedBy,
    keyVersion: call.keyVersion,
    servedBy: call.servedBy,
    latencyMs: Math.round(call.latencyMs * 10) / 10,
  };
  if (call.error === undefined) log.info(`${call.operation}ed`, fields);
  else log.warn(`${call.operation} failed`, { ...fields, outcome: call.outcome, ...errorFields(call.error) });
}

function errorFields(error: KeyServiceError): LogFields {
  const cause = describeCause(error.cause);
  return { problem: toPrintableLine(error.detail.problem), ...(cause === "" ? {} : { cause }) };
}
