import { basename, dirname, join } from "node:path";

/** `audit.jsonl.000007`: the seventh file of the log that is written to `audit.jsonl`. */
const ROTATED_SUFFIX = /^\.(\d{6,12})$/;

export function rotatedPath(path: string, file: number): string {
  return `${path}.${String(file).padStart(6, "0")}`;
}

/** The number in a rotated file's name; undefined where it is not one of `path`. */
export function numberOfRotated(path: string, candidate: string): number | undefined {
  if (!candidate.startsWith(path)) return undefined;
  const found = ROTATED_SUFFIX.exec(candidate.slice(path.length));
  return found === null ? undefined : Number(found[1]);
}

/** The last six digits of any rotated file's name. */
export function numberInName(candidate: string): number | undefined {
  const found = /\.(\d{6,12})$/.exec(candidate);
  return found === null ? undefined : Number(found[1]);
}

/** The rotated files of a log, oldest first. @param names what is in the log's directory */
export function listRotated(path: string, names: readonly string[]): readonly { path: string; file: number }[] {
  return names
    .flatMap((name) => {
      const file = numberOfRotated(basename(path), name);
      return file === undefined ? [] : [{ path: join(dirname(path), name), file }];
    })
    .toSorted((one, other) => one.file - other.file);
}

/** The last signed checkpoint, beside the log: so that a log that was cut is noticed. */
export function headPath(path: string): string {
  return `${path}.head`;
}

export function lockPath(path: string): string {
  return `${path}.lock`;
}
