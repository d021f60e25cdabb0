import { loadFfi } from "../core/ffi.ts";

/** `prctl(2)`: whether the process may be dumped, and so whether others of its user may read its memory. */
const PR_SET_DUMPABLE = 4;
const ULONG = "u64";
const PRCTL = { arguments: ["i32", ULONG, ULONG, ULONG, ULONG], return: "i32" } as const;

/**
 * Closes what would let memory, in which tokens and data keys are, out of the process: the inspector that SIGUSR1 opens,
 * diagnostic reports with the environment in them and, on Linux, core dumps and debuggers of the same user.
 *
 * @returns what could not be closed, in words for the log
 */
export function hardenProcess(platform: string = process.platform): readonly string[] {
  // Node opens its inspector on this signal unless somebody else listens to it.
  process.on("SIGUSR1", () => {});
  const { report } = process;
  report.reportOnSignal = false;
  report.reportOnFatalError = false;
  report.reportOnUncaughtException = false;
  report.excludeEnv = true;
  return platform === "linux" ? forbidDumps() : [];
}

function forbidDumps(): readonly string[] {
  try {
    const prctl = loadFfi()?.dlopen(null, { prctl: PRCTL }).functions.prctl;
    if (prctl?.(PR_SET_DUMPABLE, 0n, 0n, 0n, 0n) === 0) return [];
  } catch {
    // The same to the reader as a Node.js without it.
  }
  return ["core dumps could not be switched off: set LimitCORE=0 or `ulimit -c 0`"];
}
