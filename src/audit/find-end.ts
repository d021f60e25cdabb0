import { dirname } from "node:path";
import { CHAIN_START, type ChainPosition } from "./chain.ts";
import { listRotated } from "./file-names.ts";
import type { FileSystem } from "./file-system.ts";
import { type Head, readHead } from "./head.ts";
import type { OpenedReason } from "./record.ts";
import { readTail, type Tail } from "./tail.ts";

/** Where the log goes on after a start. */
export type LogEnd =
  | {
      readonly kind: "append";
      readonly position: ChainPosition;
      readonly file: number;
      readonly goodBytes: number;
      readonly tornBytes: number;
    }
  | {
      readonly kind: "create";
      readonly position: ChainPosition;
      /** Number of the file before. */
      readonly file: number;
      readonly reason: OpenedReason;
      /** What is done first with the file that is there: renamed to that number, or removed, as there is nothing in it. */
      readonly putAside: number | "discard" | undefined;
    };

/**
 * Finds the last record, in the log's file or in the last one that was rotated, and holds it against the last signed
 * checkpoint: so what was cut off while no server ran is seen now, and stays visible in the chain.
 */
export async function findLogEnd(fs: FileSystem, path: string, publicKey: string): Promise<LogEnd> {
  const known = await readHead(fs, path, publicKey);
  const head = known === "invalid" ? undefined : known;
  const newest = listRotated(path, await fs.readdir(dirname(path))).at(-1);
  const current = await readTail(fs, path);
  switch (current?.kind) {
    case "whole":
      return judgeWhole(current, head, newest?.file ?? 0);
    case "damaged":
      return goOnFrom(head, { reason: "damaged", newest: newest?.file ?? 0, putAside: "as the next" });
    case "empty":
    case undefined: {
      const last = newest === undefined ? undefined : await readTail(fs, newest.path);
      return judgeMissing(last, head, newest?.file ?? 0, current !== undefined);
    }
  }
}

function judgeWhole(tail: Extract<Tail, { kind: "whole" }>, head: Head | undefined, newest: number): LogEnd {
  if (head === undefined || !isBehind(tail.position, head)) return { ...tail, kind: "append" };
  return goOnFrom(head, { reason: "truncated", newest: Math.max(newest, tail.file), putAside: tail.file });
}

/** The process may have ended between the renaming of the full file and the first record of the next. */
function judgeMissing(last: Tail | undefined, head: Head | undefined, newest: number, isThere: boolean): LogEnd {
  const discard = isThere ? "discard" : undefined;
  const wasRotated = last?.kind === "whole" && (head === undefined || !isBehind(last.position, head));
  if (wasRotated)
    return { kind: "create", position: last.position, file: newest, reason: "rotated", putAside: discard };
  if (last === undefined && head === undefined)
    return { kind: "create", position: CHAIN_START, file: newest, reason: "first", putAside: discard };
  return goOnFrom(head, { reason: head === undefined ? "damaged" : "removed", newest, putAside: discard });
}

function isBehind(position: ChainPosition, head: Head): boolean {
  return position.seq < head.seq || (position.seq === head.seq && position.hash !== head.hash);
}

interface Break {
  readonly reason: OpenedReason;
  readonly newest: number;
  readonly putAside: number | "as the next" | "discard" | undefined;
}

function goOnFrom(head: Head | undefined, { reason, newest, putAside }: Break): LogEnd {
  const position = head === undefined ? CHAIN_START : { seq: head.seq, hash: head.hash };
  const before = Math.max(newest, head?.file ?? 0);
  if (putAside !== "as the next") return { kind: "create", position, file: before, reason, putAside };
  const own = Math.max(newest + 1, head?.file ?? 0);
  return { kind: "create", position, file: own, reason, putAside: own };
}
