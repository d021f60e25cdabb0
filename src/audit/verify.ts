import { basename } from "node:path";
import { MAX_LINE_BYTES, parseChainedLine } from "./chain.ts";
import { type ChainCheck, type ChainSummary, createChainCheck, type Report } from "./chain-check.ts";
import { headPath, numberInName } from "./file-names.ts";
import { type FileSystem, unlessMissing } from "./file-system.ts";
import { parseCheckpoint } from "./head.ts";
import { createLineReader } from "./line-reader.ts";
import type { LogFiles } from "./log-files.ts";

/** What a verification found. Plain data, for people and programs. */
export interface Verification {
  readonly ok: boolean;
  /** The first of them, in the order of the log. */
  readonly problems: readonly Problem[];
  /** All of them. */
  readonly problemCount: number;
  readonly files: number;
  readonly records: number;
  readonly checkpoints: number;
  readonly first: RecordPlace | null;
  readonly last: RecordPlace | null;
  /** Records after the last signature: whoever can write the file could change these, or cut them off, unseen. */
  readonly unsigned: number;
  /** Public keys that signatures were held against: SPKI, DER, base64. */
  readonly publicKeys: readonly string[];
  /** Whether those were given, and not taken from the log itself. */
  readonly keysGiven: boolean;
  /** What the reader should know. */
  readonly notes: readonly string[];
}

export interface RecordPlace {
  readonly seq: number;
  readonly hash: string;
}

export interface Problem {
  readonly file: string;
  /** From 1; 0: the file as a whole. */
  readonly line: number;
  readonly problem: string;
}

export interface VerifyOptions {
  /** Keys that may have signed: SPKI, DER, base64. None: the one that each file names. */
  readonly publicKeys: readonly string[];
  /** Hash of a record that must be in the log. */
  readonly expectedHead: string | undefined;
}

/** More problems than these are counted, not kept. */
const MAX_PROBLEMS = 20;

/**
 * Reads the files of a log once, from the oldest record to the newest, in bounded memory.
 *
 * @throws the operating system's error where a file cannot be read
 */
export async function verifyLog(fs: FileSystem, files: LogFiles, options: VerifyOptions): Promise<Verification> {
  const problems: Problem[] = [];
  let problemCount = 0;
  const report: Report = (file, line, problem) => {
    problemCount += 1;
    if (problems.length < MAX_PROBLEMS) problems.push({ file, line, problem });
  };
  const check = createChainCheck(options.publicKeys, report);
  if (options.expectedHead !== undefined) check.expect(options.expectedHead, "--expect-head asks for");
  // Before the log itself, which may be growing.
  const head = files.written === undefined ? undefined : await readHeadLine(fs, files.written);
  if (head !== undefined) expectHead(check, headPath(files.written ?? ""), head);

  for (const path of files.paths) await readFile(fs, path, check, report);
  const summary = check.summary();
  if (files.written !== undefined) reportAround(files.written, head, summary, report);
  for (const why of check.unmet()) {
    const newest = files.paths.at(-1) ?? "";
    report(newest, 0, `the record that ${why} is not in the log: its end was cut off, or it is another log`);
  }
  const { records, checkpoints, first, last, unsigned, publicKeys } = summary;
  return {
    ok: problemCount === 0,
    problems,
    problemCount,
    files: files.paths.length,
    records,
    checkpoints,
    first,
    last,
    unsigned,
    publicKeys,
    keysGiven: options.publicKeys.length > 0,
    notes: head === undefined && files.written !== undefined ? [noHead(files.written)] : [],
  };
}

function noHead(path: string): string {
  return `${headPath(path)} is not there: if the end of the log was cut off at a signature, that cannot be seen`;
}

async function readFile(fs: FileSystem, path: string, check: ChainCheck, report: Report): Promise<void> {
  await using handle = await fs.open(path, "r");
  const reader = createLineReader(handle);
  check.beginFile(path, numberInName(basename(path)));
  for (let lines = await reader.next(); lines !== undefined; lines = await reader.next()) {
    for (const line of lines) {
      if (line.kind === "line") check.line(line.number, line.bytes);
      else report(path, line.number, "is longer than any record");
    }
  }
  check.endFile(reader.tornBytes);
}

async function readHeadLine(fs: FileSystem, path: string): Promise<Buffer | undefined> {
  await using handle = await unlessMissing(fs.open(headPath(path), "r"));
  if (handle === undefined) return undefined;
  const buffer = Buffer.alloc(MAX_LINE_BYTES);
  const { bytesRead } = await handle.read(buffer, 0, buffer.length, 0);
  const end = buffer.subarray(0, bytesRead).indexOf("\n");
  return buffer.subarray(0, end === -1 ? bytesRead : end);
}

function expectHead(check: ChainCheck, path: string, head: Buffer): void {
  const line = parseChainedLine(head);
  if (line !== undefined) check.expect(line.hash, `${path} has as the last signed one (${line.seq})`);
}

/** What only the place where the log is written can tell: whether its head is signed, and which files there should be. */
function reportAround(path: string, head: Buffer | undefined, summary: ChainSummary, report: Report): void {
  const { firstFile, oldestKept, publicKeys } = summary;
  if (oldestKept !== undefined && firstFile !== undefined && firstFile > oldestKept) {
    report(path, 0, `file ${oldestKept} of the log should be the oldest that is kept, and is missing`);
  }
  if (head !== undefined && !publicKeys.some((key) => parseCheckpoint(head, key) !== undefined)) {
    report(headPath(path), 1, "is not a checkpoint that the log's key has signed");
  }
}
