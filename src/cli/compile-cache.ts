import { lstatSync, mkdirSync, type Stats } from "node:fs";
import module from "node:module";
import { dirname, join } from "node:path";
import { homeDirectory, processEnvironment } from "../config/environment.ts";
import { PACKAGE_COMPILE_CACHE } from "../package-files.ts";

const WRITABLE_BY_OTHERS = 0o022;
const STICKY = 0o1000;

/**
 * Lets V8 take up what it compiled at an earlier start, and keep what it compiles now: a quarter of the CPU of a start.
 *
 * What lies in the cache is run as if it were our code. So only a folder is used that nobody can write to but this
 * user and root: the package's own, else one in the user's cache. Where there is none, all goes on without.
 */
export function useCompileCache(): void {
  const folder = packageCache() ?? userCache();
  // Portable: its entries go by paths relative to it, so that an image may be built in one place and run in another.
  if (folder !== undefined) module.enableCompileCache({ directory: folder, portable: true });
}

function packageCache(): string | undefined {
  return isOursAlone(PACKAGE_COMPILE_CACHE) ? PACKAGE_COMPILE_CACHE : undefined;
}

function userCache(): string | undefined {
  const home = homeDirectory(processEnvironment);
  const cache = processEnvironment.get("XDG_CACHE_HOME") ?? (home === undefined ? undefined : join(home, ".cache"));
  if (cache === undefined) return undefined;
  const folder = join(cache, "sops-keyd", "compile-cache");
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
  } catch {
    return undefined;
  }
  return isOursAlone(folder) ? folder : undefined;
}

/**
 * Whether nobody but this user and root can put anything into `folder`, or another folder into its place.
 *
 * @param folder an absolute path; one that leads over a symbolic link is refused
 */
export function isOursAlone(folder: string): boolean {
  if (!isPrivate(statusOf(folder), 0)) return false;
  for (let above = dirname(folder); ; above = dirname(above)) {
    // In a sticky folder such as /tmp only its owner can move what lies there.
    if (!isPrivate(statusOf(above), STICKY)) return false;
    if (above === dirname(above)) return true;
  }
}

function isPrivate(stats: Stats | undefined, excuse: number): boolean {
  if (stats?.isDirectory() !== true) return false;
  if (stats.uid !== 0 && stats.uid !== process.getuid?.()) return false;
  return (stats.mode & WRITABLE_BY_OTHERS) === 0 || (stats.mode & excuse) !== 0;
}

function statusOf(path: string): Stats | undefined {
  try {
    return lstatSync(path, { throwIfNoEntry: false });
  } catch {
    return undefined;
  }
}
