import { basename, dirname } from "node:path";
import { listRotated, numberInName } from "./file-names.ts";
import type { FileSystem } from "./file-system.ts";

/** Files of one log, oldest first. */
export interface LogFiles {
  readonly paths: readonly string[];
  /** Where the log is being written, if that is known: then the files are all that there should be. */
  readonly written: string | undefined;
}

/**
 * What a user means: the one file of a log stands for all of it, with what was rotated; several files, or a rotated
 * one, for themselves, in the order of their numbers.
 *
 * @throws the operating system's error
 */
export async function findLogFiles(fs: FileSystem, given: readonly string[]): Promise<LogFiles> {
  const [first] = given;
  if (first === undefined || given.length > 1 || numberInName(first) !== undefined) {
    return { paths: given.toSorted((one, other) => order(one) - order(other)), written: undefined };
  }
  const rotated = listRotated(first, await fs.readdir(dirname(first)));
  return { paths: [...rotated.map(({ path }) => path), first], written: first };
}

/** The file without a number is the newest. */
function order(path: string): number {
  return numberInName(basename(path)) ?? Number.POSITIVE_INFINITY;
}
