import type { FileHandle } from "node:fs/promises";
import type { Clock } from "../core/clock.ts";
import { delay } from "../core/deadline.ts";
import { rotatedPath } from "./file-names.ts";
import { type FileSystem, unlessMissing } from "./file-system.ts";
import { createLineReader, type LineReader, type LogLine } from "./line-reader.ts";
import type { LogFiles } from "./log-files.ts";
import { fileNumberOf } from "./tail.ts";

/** The lines of the files, oldest first. @throws the operating system's error */
export async function* readLogLines(fs: FileSystem, files: LogFiles): AsyncGenerator<LogLine> {
  for (const path of files.paths) {
    await using handle = await fs.open(path, "r");
    yield* linesOf(createLineReader(handle));
  }
}

const POLL_MS = 250;

/**
 * The same, and then what is written from now on, over rotations, until the signal is aborted.
 *
 * @throws the operating system's error, or the signal's reason
 */
export async function* followLogLines(
  fs: FileSystem,
  files: LogFiles,
  clock: Clock,
  signal: AbortSignal,
): AsyncGenerator<LogLine> {
  const written = files.paths.at(-1) ?? "";
  yield* readLogLines(fs, { ...files, paths: files.paths.slice(0, -1) });
  for (let path = written; ; ) {
    const opened = await openWhenThere(fs, path, clock, signal);
    await using handle = opened.handle;
    yield* linesUntilRotated(fs, handle, written, clock, signal);
    // Several rotations may have gone by: the next file may have its number already.
    const next = opened.number === undefined ? written : rotatedPath(written, opened.number + 1);
    path = (await unlessMissing(fs.stat(next))) === undefined ? written : next;
  }
}

async function* linesOf(reader: LineReader): AsyncGenerator<LogLine> {
  for (let lines = await reader.next(); lines !== undefined; lines = await reader.next()) yield* lines;
}

/** Until the file that is open is no longer the one that is written, and has been read to its end. */
async function* linesUntilRotated(
  fs: FileSystem,
  handle: FileHandle,
  written: string,
  clock: Clock,
  signal: AbortSignal,
): AsyncGenerator<LogLine> {
  const reader = createLineReader(handle);
  const { ino } = await handle.stat();
  for (;;) {
    const current = await unlessMissing(fs.stat(written));
    // Asked before the rest is read: what was written before the rotation is still read.
    yield* linesOf(reader);
    if (current !== undefined && current.ino !== ino) return;
    await delay(clock, POLL_MS, signal);
  }
}

async function openWhenThere(
  fs: FileSystem,
  path: string,
  clock: Clock,
  signal: AbortSignal,
): Promise<{ readonly handle: FileHandle; readonly number: number | undefined }> {
  for (;;) {
    const handle = await unlessMissing(fs.open(path, "r"));
    if (handle !== undefined) return { handle, number: await fileNumberOf(handle) };
    await delay(clock, POLL_MS, signal);
  }
}
