import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";

/** Nothing of the user's but where programs are: no credential of theirs is needed, so none is passed on. */
export function bareEnvironment(home: string, more: Readonly<Record<string, string>> = {}): NodeJS.ProcessEnv {
  return {
    PATH: process.env["PATH"],
    HOME: home,
    TMPDIR: home,
    LANG: "C.UTF-8",
    METADATA_SERVER_DETECTION: "none",
    ...more,
  };
}

export interface Daemon extends AsyncDisposable {
  /** What it printed on stdout once it was ready. */
  readonly ready: unknown;
  /** Resolves when it has ended, wished or not. */
  readonly ended: Promise<void>;
}

export interface DaemonOptions {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  /** Each line that it writes to stderr. */
  readonly onLine: (line: string) => void;
}

const READY_TIMEOUT_MS = 15_000;
/** More than the server takes to drain: it is ended by force only if it hangs. */
const END_TIMEOUT_MS = 12_000;
const MAX_LAST_LINES = 10;

/** Starts a command that prints one JSON line when it is ready, and waits for that line. */
export async function startDaemon(options: DaemonOptions, signal: AbortSignal): Promise<Daemon> {
  signal.throwIfAborted();
  const { name, command, args, env } = options;
  // In a group of its own, so that Ctrl-C in the terminal reaches the quickstart alone, which ends things in order.
  const child = spawn(command, args, { env, detached: true, stdio: ["ignore", "pipe", "pipe"] });
  const lastLines: string[] = [];
  const ended = Promise.withResolvers<void>();
  child.once("close", () => ended.resolve());
  child.once("error", () => ended.resolve());
  const onExit = () => kill(child, "SIGKILL");
  process.once("exit", onExit);
  const daemon = {
    ended: ended.promise,
    async [Symbol.asyncDispose]() {
      kill(child, "SIGTERM");
      if (!(await endsWithin(ended.promise, END_TIMEOUT_MS))) {
        kill(child, "SIGKILL");
        await ended.promise;
      }
      process.off("exit", onExit);
    },
  };
  createInterface({ input: child.stderr }).on("line", (line) => {
    lastLines.push(line);
    if (lastLines.length > MAX_LAST_LINES) lastLines.shift();
    options.onLine(line);
  });
  try {
    return { ...daemon, ready: JSON.parse(await firstLine(child, name, signal)) as unknown };
  } catch (error) {
    await daemon[Symbol.asyncDispose]();
    signal.throwIfAborted();
    throw new Error([`the ${name} did not start`, ...lastLines].join("\n  "), { cause: error });
  }
}

async function firstLine(child: ChildProcess, name: string, signal: AbortSignal): Promise<string> {
  if (child.stdout === null) throw new Error(`the ${name} has no stdout`);
  const bounded = AbortSignal.any([signal, AbortSignal.timeout(READY_TIMEOUT_MS)]);
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const onAbort = () => reject(bounded.reason);
  bounded.addEventListener("abort", onAbort, { once: true });
  child.once("error", reject);
  child.once("exit", () => reject(new Error(`the ${name} ended`)));
  createInterface({ input: child.stdout }).once("line", resolve);
  return promise.finally(() => bounded.removeEventListener("abort", onAbort));
}

function kill(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  try {
    process.kill(-child.pid, signal);
  } catch {
    // It ended in this very moment.
  }
}

async function endsWithin(ended: Promise<void>, timeoutMs: number): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const timer = setTimeout(resolve, timeoutMs, false);
  void ended.then(() => resolve(true));
  return promise.finally(() => clearTimeout(timer));
}

export interface Outcome {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly cwd: string;
  readonly env: NodeJS.ProcessEnv;
  readonly timeoutMs: number;
  /** Whether its stderr goes straight to the user. */
  readonly showsProgress?: boolean;
}

const FORCE_AFTER_MS = 5_000;
const MAX_OUTPUT_LENGTH = 1_000_000;

/** Runs a command to its end; a failure is an outcome, not an error. Stopped with all it started when time is up. */
export async function run(
  command: string,
  args: readonly string[],
  options: RunOptions,
  signal: AbortSignal,
): Promise<Outcome> {
  signal.throwIfAborted();
  const { cwd, env, timeoutMs, showsProgress = false } = options;
  const child = spawn(command, args, {
    cwd,
    env,
    detached: true,
    stdio: ["ignore", "pipe", showsProgress ? "inherit" : "pipe"],
  });
  const bounded = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
  let force: NodeJS.Timeout | undefined;
  const onAbort = () => {
    kill(child, "SIGTERM");
    force = setTimeout(kill, FORCE_AFTER_MS, child, "SIGKILL");
  };
  bounded.addEventListener("abort", onAbort, { once: true });
  const onExit = () => kill(child, "SIGTERM");
  process.once("exit", onExit);
  const stdout = collect(child.stdout);
  const stderr = collect(child.stderr);
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  child.once("error", reject);
  child.once("close", (code) => resolve(code ?? 1));
  try {
    const exitCode = await promise;
    signal.throwIfAborted();
    if (bounded.aborted) throw new Error(`${command} took longer than ${timeoutMs / 1000} s`);
    return { exitCode, stdout: stdout.join(""), stderr: stderr.join("") };
  } finally {
    clearTimeout(force);
    bounded.removeEventListener("abort", onAbort);
    process.off("exit", onExit);
  }
}

function collect(stream: NodeJS.ReadableStream | null): string[] {
  const parts: string[] = [];
  let length = 0;
  stream?.setEncoding("utf8").on("data", (text: string) => {
    length += text.length;
    if (length <= MAX_OUTPUT_LENGTH) parts.push(text);
  });
  return parts;
}
