import type { FileHandle } from "node:fs/promises";
import { MAX_LINE_BYTES } from "./chain.ts";

export type LogLine =
  | { readonly kind: "line"; readonly number: number; readonly bytes: Buffer }
  /** Longer than any record. */
  | { readonly kind: "too_long"; readonly number: number };

/** Reads a file line by line, as far as it goes, and further when there is more. Holds one line and one piece of file. */
export interface LineReader {
  /** The whole lines of the next piece; undefined at the end of what there is now. */
  next(): Promise<readonly LogLine[] | undefined>;
  /** Bytes at the end, after the last line break. */
  readonly tornBytes: number;
}

const PIECE_BYTES = 65_536;
const LINE_BREAK = 10;

export function createLineReader(handle: FileHandle): LineReader {
  const piece = Buffer.alloc(PIECE_BYTES);
  let position = 0;
  let number = 0;
  let rest: Buffer = Buffer.alloc(0);
  /** Bytes of a line that is too long, and not kept. */
  let skippedBytes = 0;

  function finish(end: Buffer): LogLine {
    number += 1;
    const isTooLong = skippedBytes > 0 || rest.length + end.length > MAX_LINE_BYTES;
    const bytes = isTooLong ? undefined : Buffer.concat([rest, end]);
    rest = Buffer.alloc(0);
    skippedBytes = 0;
    return bytes === undefined ? { kind: "too_long", number } : { kind: "line", number, bytes };
  }

  function keep(begun: Buffer): void {
    if (skippedBytes === 0 && rest.length + begun.length <= MAX_LINE_BYTES) {
      rest = Buffer.concat([rest, begun]);
      return;
    }
    skippedBytes += rest.length + begun.length;
    rest = Buffer.alloc(0);
  }

  return {
    async next() {
      const { bytesRead } = await handle.read(piece, 0, PIECE_BYTES, position);
      if (bytesRead === 0) return undefined;
      position += bytesRead;
      const lines: LogLine[] = [];
      let start = 0;
      for (let end = piece.indexOf(LINE_BREAK); end !== -1 && end < bytesRead; end = piece.indexOf(LINE_BREAK, start)) {
        lines.push(finish(piece.subarray(start, end)));
        start = end + 1;
      }
      keep(piece.subarray(start, bytesRead));
      return lines;
    },
    get tornBytes() {
      return rest.length + skippedBytes;
    },
  };
}
