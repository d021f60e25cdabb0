import type { FileHandle } from "node:fs/promises";
import { type ChainPosition, MAX_LINE_BYTES, parseChainedLine, parseFields } from "./chain.ts";
import { type FileSystem, unlessMissing } from "./file-system.ts";

/** How a file of the log ends. */
export type Tail =
  | {
      readonly kind: "whole";
      /** Of its last record. */
      readonly position: ChainPosition;
      /** Its number, from its first record. */
      readonly file: number;
      /** Up to the end of its last record. */
      readonly goodBytes: number;
      /** What a process that was killed had begun to write. */
      readonly tornBytes: number;
    }
  /** Nothing was ever finished in it. */
  | { readonly kind: "empty" }
  | { readonly kind: "damaged" };

/** Reads the first and the last record of a file; undefined where there is no such file. */
export async function readTail(fs: FileSystem, path: string): Promise<Tail | undefined> {
  await using handle = await unlessMissing(fs.open(path, "r"));
  if (handle === undefined) return undefined;
  const { size } = await handle.stat();
  // One line whole, and one torn.
  const start = Math.max(0, size - 2 * MAX_LINE_BYTES);
  const end = await readAt(handle, start, size - start);
  const lastBreak = end.lastIndexOf("\n");
  if (lastBreak === -1 && size <= MAX_LINE_BYTES) return { kind: "empty" };
  const last = end.subarray(end.subarray(0, Math.max(0, lastBreak)).lastIndexOf("\n") + 1, Math.max(0, lastBreak));
  const file = await fileNumberOf(handle);
  const line = parseChainedLine(last);
  if (line?.intact !== true || file === undefined) return { kind: "damaged" };
  const tornBytes = end.length - lastBreak - 1;
  return { kind: "whole", position: { seq: line.seq, hash: line.hash }, file, goodBytes: size - tornBytes, tornBytes };
}

/** The number that a file's first record has; undefined where that is no such record. */
export async function fileNumberOf(handle: FileHandle): Promise<number | undefined> {
  const head = await readAt(handle, 0, MAX_LINE_BYTES);
  const end = head.indexOf("\n");
  const fields = end === -1 ? undefined : parseFields(head.subarray(0, end));
  const file = fields?.["event"] === "opened" ? fields["file"] : undefined;
  return typeof file === "number" && Number.isSafeInteger(file) && file > 0 ? file : undefined;
}

async function readAt(handle: FileHandle, position: number, length: number): Promise<Buffer> {
  const buffer = Buffer.alloc(length);
  let filled = 0;
  while (filled < length) {
    const { bytesRead } = await handle.read(buffer, filled, length - filled, position + filled);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return buffer.subarray(0, filled);
}
