import { type Stats, statSync } from "node:fs";
import { dirname } from "node:path";
import type { ListenerConfig } from "../config/config.ts";

/**
 * The directory that keeps those from a socket whom its mode would let in; undefined where none does, or where that cannot
 * be seen. A mode alone opens nothing: each directory above it must let them through as well.
 */
export function findClosedDirectory(config: ListenerConfig): string | undefined {
  if (config.kind !== "unix" || (config.mode & 0o066) === 0) return undefined;
  const socket = statOf(config.path);
  if (socket === undefined) return undefined;
  const letsThrough = ({ mode, gid }: Stats) =>
    (mode & 0o001) !== 0 || ((config.mode & 0o006) === 0 && (mode & 0o010) !== 0 && gid === socket.gid);
  for (let path = dirname(config.path); path !== dirname(path); path = dirname(path)) {
    const directory = statOf(path);
    if (directory === undefined) return undefined;
    if (!letsThrough(directory)) return path;
  }
  return undefined;
}

/** Undefined also where the sandbox does not allow to look. */
function statOf(path: string): Stats | undefined {
  try {
    return statSync(path);
  } catch {
    return undefined;
  }
}
