import * as fs from "node:fs/promises";

/** What the log needs of the file system; tests put faults into it. */
export type FileSystem = Pick<typeof fs, "open" | "stat" | "rename" | "readdir" | "unlink" | "readFile">;

export const systemFileSystem: FileSystem = fs;

/** What the operating system says of a failure: `ENOSPC`. Never its text, which has paths and more. */
export function codeOf(thrown: unknown): string {
  return thrown instanceof Error && "code" in thrown ? String(thrown.code) : "an unknown error";
}

/** Undefined where there is no such file. */
export async function unlessMissing<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work;
  } catch (thrown) {
    if (codeOf(thrown) === "ENOENT") return undefined;
    throw thrown;
  }
}
