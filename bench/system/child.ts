import { type ChildProcess, type StdioOptions, spawn } from "node:child_process";
import { closeSync, openSync, readFileSync } from "node:fs";
import { dirname } from "node:path";
import { createInterface } from "node:readline";
import { within } from "./within.ts";

/** A process of the bench. Disposing of it ends it and waits until it has. */
export interface BenchProcess extends AsyncDisposable {
  readonly pid: number;
  readonly child: ChildProcess;
  /** The first line that it writes to stdout. */
  firstLine(): Promise<string>;
  /** What it wrote to stderr last. */
  lastWords(): string;
}

export interface ProcessOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** Where its stderr goes: a file, as a log would, so that nobody has to read it while it runs. */
  readonly logFile: string;
  /** With a channel for messages, for programs of the bench itself. */
  readonly ipc?: boolean;
}

const READY_TIMEOUT_MS = 30_000;
const END_TIMEOUT_MS = 15_000;
const LAST_WORDS = 600;

export function startProcess(file: string, args: readonly string[], options: ProcessOptions): BenchProcess {
  const log = openSync(options.logFile, "a");
  const stdio: StdioOptions = ["pipe", "pipe", log, ...(options.ipc === true ? (["ipc"] as const) : [])];
  const child = spawn(file, args, { env: { ...bareEnvironment(), ...options.env }, stdio });
  closeSync(log);
  const lines = child.stdout === null ? undefined : createInterface({ input: child.stdout });
  const line = Promise.withResolvers<string>();
  const ended = Promise.withResolvers<void>();
  const lastWords = () => readFileSync(options.logFile, "utf8").slice(-LAST_WORDS);
  lines?.once("line", line.resolve);
  child.once("error", line.reject);
  child.once("exit", () => {
    line.reject(new Error(`${file} ended: ${lastWords()}`));
    ended.resolve();
  });
  line.promise.catch(() => {});
  const end = () => child.kill("SIGKILL");
  process.once("exit", end);
  return {
    pid: child.pid ?? 0,
    child,
    firstLine: () => within(READY_TIMEOUT_MS, `${file} to be ready`, line.promise),
    lastWords,
    async [Symbol.asyncDispose]() {
      child.stdin?.end();
      child.kill("SIGTERM");
      if (child.exitCode === null && child.signalCode === null) {
        await within(END_TIMEOUT_MS, `${file} to end`, ended.promise).catch(end);
      }
      await ended.promise;
      process.off("exit", end);
    },
  };
}

/** Nothing of the user's but where programs are: no credential, no proxy. */
export function bareEnvironment(): Record<string, string> {
  return {
    // Our launcher takes the first Node.js of the path.
    PATH: `${dirname(process.execPath)}:${process.env["PATH"] ?? ""}`,
    HOME: process.env["HOME"] ?? "",
    TMPDIR: process.env["TMPDIR"] ?? "/tmp",
    METADATA_SERVER_DETECTION: "none",
  };
}
