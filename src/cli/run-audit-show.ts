import { once } from "node:events";
import { parseFields } from "../audit/chain.ts";
import { systemFileSystem } from "../audit/file-system.ts";
import { type RecordFilter, recordMatches } from "../audit/filter.ts";
import { followLogLines, readLogLines } from "../audit/follow.ts";
import type { LogLine } from "../audit/line-reader.ts";
import { parseDuration } from "../config/duration.ts";
import { systemClock } from "../core/clock.ts";
import { parseGlob } from "../routing/glob.ts";
import type { ShowCommandOptions } from "./audit.ts";
import { asUsage, chooseLogFiles } from "./audit-files.ts";
import { renderRecord } from "./audit-line.ts";
import { CommandError, EXIT_USAGE } from "./exit.ts";
import { inForeground } from "./foreground.ts";

export async function runAuditShow(given: readonly string[], options: ShowCommandOptions): Promise<void> {
  const filter = readFilter(options);
  const files = await chooseLogFiles(given, options.config);
  const stopped = new AbortController();
  const stop = () => stopped.abort();
  process.once("SIGINT", stop).once("SIGTERM", stop);
  // Who reads our output may have seen enough.
  process.stdout.once("close", stop).once("error", stop);
  const { signal } = stopped;
  const lines =
    options.follow === true
      ? followLogLines(systemFileSystem, files, systemClock, signal)
      : readLogLines(systemFileSystem, files);
  try {
    await asUsage(inForeground(print(lines, filter, options, signal)), files.paths.join(", "));
  } catch (thrown) {
    if (!signal.aborted) throw thrown;
  }
}

async function print(
  lines: AsyncIterable<LogLine>,
  filter: RecordFilter,
  options: ShowCommandOptions,
  signal: AbortSignal,
): Promise<void> {
  for await (const line of lines) {
    if (signal.aborted) return;
    const text = renderLine(line, filter, options);
    if (text !== undefined) await write(text);
  }
}

/** Undefined where it is not wanted. */
function renderLine(line: LogLine, filter: RecordFilter, { json }: ShowCommandOptions): string | undefined {
  const fields = line.kind === "line" ? parseFields(line.bytes) : undefined;
  if (line.kind !== "line" || fields === undefined) {
    process.stderr.write(`audit show: line ${line.number} is not a record; audit verify tells more\n`);
    return undefined;
  }
  if (!recordMatches(fields, filter)) return undefined;
  return json === true ? line.bytes.toString("utf8") : renderRecord(fields, process.stdout);
}

async function write(text: string): Promise<void> {
  if (!process.stdout.write(`${text}\n`)) await once(process.stdout, "drain");
}

function readFilter(options: ShowCommandOptions): RecordFilter {
  const { caller, rule, outcome, operation, event, request, key } = options;
  return {
    caller,
    rule,
    outcome,
    operation,
    event,
    request,
    key: key === undefined ? undefined : parseGlob(key),
    since: readTime("--since", options.since),
    until: readTime("--until", options.until),
  };
}

/** @returns RFC 3339 in UTC with milliseconds, as records have it */
function readTime(option: string, text: string | undefined): string | undefined {
  if (text === undefined) return undefined;
  const backMs = parseDuration(text);
  const atMs = backMs === undefined ? Date.parse(text) : systemClock.nowMs() - backMs;
  if (!Number.isNaN(atMs)) return new Date(atMs).toISOString();
  throw new CommandError(`audit show ${option}: expected a time as 2026-11-24T07:00:00Z, or how long ago, as 15m`, {
    exitCode: EXIT_USAGE,
  });
}
