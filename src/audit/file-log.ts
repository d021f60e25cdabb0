import { dirname } from "node:path";
import type { Clock } from "../core/clock.ts";
import { type AppendedFile, createAppendedFile, openAppendedFile, syncDirectory } from "./appended-file.ts";
import { listRotated, rotatedPath } from "./file-names.ts";
import { codeOf, type FileSystem } from "./file-system.ts";
import { findLogEnd, type LogEnd } from "./find-end.ts";
import { writeHead } from "./head.ts";
import type { AuditEvent, OpenedReason } from "./record.ts";
import { createSealer, type Sealed } from "./sealer.ts";
import type { SigningKey } from "./signing-key.ts";

/** Where sealed records are kept. Not for concurrent use. */
export interface AuditLog {
  /**
   * Resolves when the records are safe, with the lines that were written, checkpoints included.
   *
   * @throws what the operating system said; then none of them counts, and they may be given again
   */
  commit(events: readonly AuditEvent[]): Promise<readonly string[]>;
  /** A checkpoint where there are records since the last one; then all is closed. */
  close(): Promise<void>;
}

export interface FileLogOptions {
  readonly path: string;
  /** A file that would grow beyond this is rotated. */
  readonly maxFileBytes: number;
  /** How many rotated files are kept beside the one that is written. */
  readonly keep: number;
  readonly checkpoint: { readonly records: number; readonly intervalMs: number };
  readonly key: SigningKey;
  readonly clock: Clock;
  readonly fs: FileSystem;
  /** Told of what an operator should look at. */
  readonly warn: (message: string) => void;
}

/**
 * Opens the log of a file where it ended, or begins it.
 *
 * @throws the operating system's error
 */
export async function openFileLog(options: FileLogOptions): Promise<AuditLog> {
  const { path, fs, key, clock, warn } = options;
  const now = () => new Date(clock.nowMs()).toISOString();
  const end = await findLogEnd(fs, path, key.publicKey);
  const sealer = createSealer(end.position, end.file, options);
  let file: AppendedFile | undefined;
  /** Why the next file is made, where there is none open. */
  let reason: OpenedReason = "rotated";
  /** Put before the next records. */
  const notices: AuditEvent[] = [];

  if (end.kind === "append") {
    file = await openAppendedFile(fs, path, clock, end.goodBytes);
    if (end.tornBytes > 0) notices.push({ event: "recovered", time: now(), tornBytes: end.tornBytes });
  } else {
    await putAside(fs, path, end);
    reason = end.reason;
    if (!["first", "rotated"].includes(reason))
      warn(`audit log ${path}: the file before was ${reason}; the new one says so`);
  }

  async function createNext(): Promise<AppendedFile> {
    const number = sealer.file + 1;
    const oldest = await pruneRotated(fs, path, number, options.keep);
    const opened = { event: "opened", time: now(), reason, file: number, oldest, publicKey: key.publicKey } as const;
    const sealed = sealer.seal([opened]);
    const next = await createInPlaceOf(sealed.bytes);
    sealer.accept(sealed);
    return next;
  }

  /** A file that somebody else put there with something in it, as an editor does, would stop the log for good. */
  async function createInPlaceOf(firstBytes: Buffer): Promise<AppendedFile> {
    try {
      return await createAppendedFile(fs, path, clock, firstBytes);
    } catch (thrown) {
      if (codeOf(thrown) !== "EEXIST" || !(await fs.stat(path)).isFile()) throw thrown;
      const aside = `${path}.aside-${clock.nowMs()}`;
      await fs.rename(path, aside);
      warn(`audit log ${path}: somebody else put a file in its place, which is now ${aside}`);
      return await createAppendedFile(fs, path, clock, firstBytes);
    }
  }

  /** Ends the file that is open, with a checkpoint, and gives it its number as its name. */
  async function rotate(full: AppendedFile): Promise<void> {
    await append(full, sealer.sealCheckpoint());
    if (file === undefined) return;
    await fs.rename(path, rotatedPath(path, sealer.file));
    await syncDirectory(fs, path);
    leave("rotated");
    await full.close();
  }

  function leave(why: OpenedReason): void {
    file = undefined;
    reason = why;
  }

  /** @returns false where the bytes are lost with the file */
  async function append(to: AppendedFile, sealed: Sealed): Promise<boolean> {
    const fate = await to.append(sealed.bytes);
    if (fate.kind === "removed" || fate.kind === "moved") {
      warn(`audit log ${path} was ${fate.kind} by somebody else; a new file is begun and says so`);
      leave(fate.kind);
      await to.close();
    }
    if (fate.kind === "removed") return false;
    if (fate.kind === "changed") {
      warn(
        `audit log ${path} was changed by somebody else: it has ${fate.foundBytes} bytes, not ${fate.expectedBytes}`,
      );
      const { expectedBytes, foundBytes } = fate;
      notices.push({ event: "file_changed", time: now(), expectedBytes, foundBytes });
    }
    sealer.accept(sealed);
    return true;
  }

  async function commitOnce(events: readonly AuditEvent[]): Promise<Sealed | undefined> {
    if (file !== undefined && file.sizeBytes >= options.maxFileBytes) await rotate(file);
    file ??= await createNext();
    const told = notices.length;
    const sealed = sealer.seal([...notices, ...events]);
    if (!(await append(file, sealed))) return undefined;
    notices.splice(0, told);
    return sealed;
  }

  async function saveHead(checkpoint: string | undefined): Promise<void> {
    if (checkpoint === undefined) return;
    await writeHead(fs, path, checkpoint).catch(() => warn(`audit log ${path}: its .head file could not be written`));
  }

  return {
    async commit(events) {
      // What is lost with a removed file is written once more, into the next.
      const sealed = (await commitOnce(events)) ?? (await commitOnce(events));
      if (sealed === undefined) throw new Error(`${path} is removed again and again`);
      await saveHead(sealed.checkpoint);
      return sealed.lines;
    },
    async close() {
      if (file === undefined) return;
      if (sealer.hasUnsigned) {
        const sealed = sealer.sealCheckpoint();
        await append(file, sealed);
        await saveHead(sealed.checkpoint);
      }
      await file?.close();
      file = undefined;
    },
  };
}

async function putAside(fs: FileSystem, path: string, end: Extract<LogEnd, { kind: "create" }>): Promise<void> {
  if (end.putAside === "discard") await fs.unlink(path);
  else if (end.putAside !== undefined) await fs.rename(path, rotatedPath(path, end.putAside));
}

/** @returns the number of the oldest file that is left, the new one included */
async function pruneRotated(fs: FileSystem, path: string, number: number, keep: number): Promise<number> {
  const rotated = listRotated(path, await fs.readdir(dirname(path)));
  const surplus = rotated.slice(0, Math.max(0, rotated.length - keep));
  for (const each of surplus) await fs.unlink(each.path);
  return rotated[surplus.length]?.file ?? number;
}
