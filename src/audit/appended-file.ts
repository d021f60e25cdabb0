import { constants, type Stats } from "node:fs";
import type { FileHandle } from "node:fs/promises";
import { dirname } from "node:path";
import type { Clock } from "../core/clock.ts";
import { codeOf, type FileSystem, unlessMissing } from "./file-system.ts";

/** What became of an append that succeeded. */
export type Fate =
  | { readonly kind: "kept" }
  /** The bytes are safe, but under a name that somebody else gave the file. */
  | { readonly kind: "moved" }
  /** The bytes are lost with the file. */
  | { readonly kind: "removed" }
  /** The bytes are safe, and so is what somebody else did to the file. */
  | { readonly kind: "changed"; readonly expectedBytes: number; readonly foundBytes: number };

/** A file that is only ever appended to. Not for concurrent use. */
export interface AppendedFile {
  readonly sizeBytes: number;
  /**
   * Resolves when the bytes are on the disk. After a failure the next append first cuts off what this one left.
   *
   * @throws the operating system's error
   */
  append(bytes: Buffer): Promise<Fate>;
  close(): Promise<void>;
}

/** With it a write returns when its bytes are on the disk: one call of the operating system for each batch, not two. */
const APPEND_SYNCED = constants.O_WRONLY | constants.O_APPEND | constants.O_DSYNC;
/** How often it is looked whether the file is still the one under its name, and as long as it should be. */
const LOOK_EVERY_MS = 20;
/** The log says who uses which key: for its owner alone, unless somebody gives it another mode. */
const FILE_MODE = 0o600;

/**
 * Makes a file, or leaves none.
 *
 * @param firstBytes are on the disk when it resolves
 * @throws the operating system's error: `EEXIST` where there is one with something in it
 */
export async function createAppendedFile(
  fs: FileSystem,
  path: string,
  clock: Clock,
  firstBytes: Buffer,
): Promise<AppendedFile> {
  const file = wrap(fs, path, clock, await openNew(fs, path), 0);
  try {
    await syncDirectory(fs, path);
    await file.append(firstBytes);
    return file;
  } catch (thrown) {
    await file.close();
    await fs.unlink(path);
    throw thrown;
  }
}

/** An empty file under the name is taken: logrotate's `create` makes one, with the mode that its reader needs. */
async function openNew(fs: FileSystem, path: string): Promise<FileHandle> {
  try {
    return await fs.open(path, APPEND_SYNCED | constants.O_CREAT | constants.O_EXCL, FILE_MODE);
  } catch (thrown) {
    if (codeOf(thrown) !== "EEXIST" || (await fs.stat(path)).size > 0) throw thrown;
    return await fs.open(path, APPEND_SYNCED);
  }
}

/** @param sizeBytes what of it is good; the rest is cut off by the first append */
export async function openAppendedFile(
  fs: FileSystem,
  path: string,
  clock: Clock,
  sizeBytes: number,
): Promise<AppendedFile> {
  return wrap(fs, path, clock, await fs.open(path, APPEND_SYNCED), sizeBytes);
}

function wrap(fs: FileSystem, path: string, clock: Clock, handle: FileHandle, initialBytes: number): AppendedFile {
  let sizeBytes = initialBytes;
  let dirty = true;
  let lookedAtMs = Number.NEGATIVE_INFINITY;

  async function look(): Promise<Fate> {
    lookedAtMs = clock.monotonicMs();
    const [atPath, own] = await Promise.all([unlessMissing(fs.stat(path)), handle.stat()]);
    const fate = judge(atPath, own, sizeBytes);
    sizeBytes = own.size;
    return fate;
  }

  return {
    get sizeBytes() {
      return sizeBytes;
    },
    async append(bytes) {
      if (dirty) await handle.truncate(sizeBytes);
      dirty = true;
      await writeAll(handle, bytes);
      dirty = false;
      sizeBytes += bytes.length;
      return clock.monotonicMs() - lookedAtMs < LOOK_EVERY_MS ? { kind: "kept" } : await look();
    },
    close: () => handle.close(),
  };
}

function judge(atPath: Stats | undefined, own: Stats, expectedBytes: number): Fate {
  if (own.nlink === 0) return { kind: "removed" };
  if (atPath?.ino !== own.ino || atPath.dev !== own.dev) return { kind: "moved" };
  if (own.size !== expectedBytes) return { kind: "changed", expectedBytes, foundBytes: own.size };
  return { kind: "kept" };
}

async function writeAll(handle: FileHandle, bytes: Buffer): Promise<void> {
  for (let written = 0; written < bytes.length; ) {
    const { bytesWritten } = await handle.write(bytes, written, bytes.length - written, null);
    written += bytesWritten;
  }
}

/** A new name is on the disk only when its directory is. */
export async function syncDirectory(fs: FileSystem, path: string): Promise<void> {
  await using directory = await fs.open(dirname(path), "r");
  await directory.sync().catch((thrown: unknown) => {
    // Node's permission model (`serve --sandbox`) refuses every sync. The usual file systems of Linux write a new name
    // along with the first bytes of its file that are synced, as ours are.
    if (codeOf(thrown) !== "ERR_ACCESS_DENIED") throw thrown;
  });
}
