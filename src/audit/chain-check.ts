import { type ChainedLine, type ChainPosition, parseChainedLine, parseFields, splitSignature } from "./chain.ts";
import { verifySignature } from "./signing-key.ts";

/** Takes the lines of a log in their order, and tells of each that is not what it should be. */
export interface ChainCheck {
  /** @param number the one in the file's name, if there is one */
  beginFile(path: string, number: number | undefined): void;
  line(number: number, bytes: Buffer): void;
  endFile(tornBytes: number): void;
  /** A record with this hash has to come. */
  expect(hash: string, why: string): void;
  /** What was expected and did not come. */
  unmet(): readonly string[];
  summary(): ChainSummary;
}

export interface ChainSummary {
  readonly records: number;
  readonly checkpoints: number;
  readonly first: ChainPosition | null;
  readonly last: ChainPosition | null;
  readonly unsigned: number;
  readonly publicKeys: readonly string[];
  /** Number of the first file, and of the oldest that the last one says is kept. */
  readonly firstFile: number | undefined;
  readonly oldestKept: number | undefined;
}

export type Report = (file: string, line: number, problem: string) => void;

/** @param givenKeys that may have signed; none: the one that each file names */
export function createChainCheck(givenKeys: readonly string[], report: Report): ChainCheck {
  let file = { path: "", number: undefined as number | undefined };
  let before: ChainPosition | undefined;
  let first: ChainPosition | undefined;
  let lines = 0;
  let records = 0;
  let checkpoints = 0;
  let unsigned = 0;
  let fileNumber: number | undefined;
  let firstFile: number | undefined;
  let oldestKept: number | undefined;
  let ownKey: string | undefined;
  const keys = new Set(givenKeys);
  const expected = new Map<string, string>();

  function checkPlace(at: number, line: ChainedLine): void {
    if (!line.intact) report(file.path, at, `record ${line.seq} was changed: its hash does not fit it`);
    if (before === undefined) return;
    const step = line.seq - before.seq;
    if (step > 1) report(file.path, at, `${step - 1} records are missing before record ${line.seq}`);
    else if (step < 1)
      report(file.path, at, `record ${line.seq} stands after record ${before.seq}: repeated, or out of order`);
    else if (line.prev !== before.hash)
      report(file.path, at, `record ${line.seq} does not follow the record before it`);
  }

  function checkOpened(at: number, fields: Fields): void {
    const opened = parseOpened(fields);
    if (at !== 1) report(file.path, at, "a file begins in the middle of this one");
    if (opened === undefined) {
      report(file.path, at, "is not how a file begins");
      return;
    }
    checkFileNumber(at, opened.file);
    fileNumber = opened.file;
    firstFile ??= opened.file;
    oldestKept = opened.oldest;
    ownKey = opened.publicKey;
    if (givenKeys.length === 0) keys.add(opened.publicKey);
    if (LOSSES.has(opened.reason)) {
      report(file.path, at, `the file before it was ${opened.reason}: records of it are gone`);
    }
  }

  function checkFileNumber(at: number, number: number): void {
    if (file.number !== undefined && file.number !== number) {
      report(file.path, at, `is file ${number} of its log, and its name says ${file.number}`);
    }
    if (fileNumber !== undefined && number !== fileNumber + 1) {
      report(file.path, at, `is file ${number} of its log, and file ${fileNumber + 1} should be here`);
    }
  }

  function checkSignature(at: number, line: ChainedLine, fields: Fields): void {
    const signed = splitSignature(line.body);
    const candidates = givenKeys.length > 0 ? givenKeys : [ownKey ?? ""];
    const isGood =
      signed !== undefined && candidates.some((key) => verifySignature(key, signed.text, signed.signature));
    if (!isGood) report(file.path, at, `checkpoint ${line.seq} is not signed by the log's key`);
    if (fields["file"] !== fileNumber) report(file.path, at, `checkpoint ${line.seq} is of another file`);
    checkpoints += 1;
    unsigned = 0;
  }

  function checkFields(at: number, line: ChainedLine, bytes: Buffer): void {
    const fields = parseFields(bytes);
    const event = fields?.["event"];
    if (fields === undefined) report(file.path, at, `record ${line.seq} is not JSON`);
    else if (event === "opened") checkOpened(at, fields);
    else if (at === 1) report(file.path, at, "the file does not begin as a file of a log does");
    if (fields !== undefined && event === "checkpoint") checkSignature(at, line, fields);
  }

  return {
    beginFile(path, number) {
      file = { path, number };
      lines = 0;
    },
    line(at, bytes) {
      lines += 1;
      const line = parseChainedLine(bytes);
      if (line === undefined) {
        report(file.path, at, "is not a record");
        return;
      }
      records += 1;
      unsigned += 1;
      checkPlace(at, line);
      checkFields(at, line, bytes);
      before = { seq: line.seq, hash: line.hash };
      first ??= before;
      expected.delete(line.hash);
    },
    endFile(tornBytes) {
      if (lines === 0) report(file.path, 0, "has no record");
      if (tornBytes === 0) return;
      report(
        file.path,
        0,
        `its last ${tornBytes} bytes are no whole record: torn by a crash (the next start mends it), or cut`,
      );
    },
    expect: (hash, why) => expected.set(hash, why),
    unmet: () => [...expected.values()],
    summary: () => ({
      records,
      checkpoints,
      first: first ?? null,
      last: before ?? null,
      unsigned,
      publicKeys: [...keys],
      firstFile,
      oldestKept,
    }),
  };
}

/** Why a file was begun, where that means that records are gone. */
const LOSSES = new Set(["removed", "truncated", "damaged"]);

type Fields = Readonly<Record<string, unknown>>;

interface Opened {
  readonly file: number;
  readonly oldest: number;
  readonly reason: string;
  readonly publicKey: string;
}

function parseOpened({ file, oldest, reason, publicKey }: Fields): Opened | undefined {
  if (typeof file !== "number" || typeof oldest !== "number") return undefined;
  if (typeof reason !== "string" || typeof publicKey !== "string") return undefined;
  return { file, oldest, reason, publicKey };
}
