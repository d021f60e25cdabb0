import { type ChildProcess, spawn } from "node:child_process";
import { within } from "./bounded.ts";

export interface Outcome {
  /** Undefined where a signal ended it. */
  readonly code: number | undefined;
  readonly signal: NodeJS.Signals | undefined;
  readonly stdout: string;
  readonly stderr: string;
}

export interface ChildOptions {
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
}

/** A process that a test started; disposing of it ends it, and what it started itself, and waits until it is gone. */
export interface Child extends AsyncDisposable {
  readonly pid: number;
  stdout(): string;
  stderr(): string;
  /** Writes to its standard input. */
  type(text: string): void;
  signal(signal: NodeJS.Signals): void;
  /**
   * Resolves with the first match in what it wrote or will write; rejects where it ends before.
   *
   * @param from how much of what it wrote is not looked at: its length of some time before
   */
  waitFor(stream: "stdout" | "stderr", pattern: RegExp, from?: number): Promise<RegExpExecArray>;
  /** Resolves when it has ended and its output is closed. */
  ended(timeoutMs?: number): Promise<Outcome>;
}

/** The longest that anything here may take; the machine may be busy with other tests. */
const PATIENCE_MS = 30_000;

const alive = new Set<ChildProcess>();
// Only where a test was broken off: otherwise each has ended before.
process.once("exit", () => {
  for (const child of alive) endGroup(child);
});

/** A child leads a process group of its own, so that a command under `exec` goes with it. */
function endGroup({ pid }: ChildProcess): void {
  try {
    if (pid !== undefined) process.kill(-pid, "SIGKILL");
  } catch {
    // It has ended already.
  }
}

export function startChild(file: string, args: readonly string[], options: ChildOptions): Child {
  const child = spawn(file, args, { ...options, stdio: ["pipe", "pipe", "pipe"], detached: true });
  alive.add(child);
  const output = { stdout: "", stderr: "" };
  const watchers = new Set<() => void>();
  for (const stream of ["stdout", "stderr"] as const) {
    child[stream].setEncoding("utf8").on("data", (text: string) => {
      output[stream] += text;
      for (const watch of watchers) watch();
    });
  }
  // A command that does not read its input closes it early, which is its good right.
  child.stdin.on("error", () => {});
  const closed = Promise.withResolvers<Outcome>();
  child.once("error", closed.reject);
  child.once("close", (code, signal) => {
    alive.delete(child);
    closed.resolve({ code: code ?? undefined, signal: signal ?? undefined, ...output });
  });
  closed.promise.catch(() => alive.delete(child));
  const name = `${file} ${args.join(" ")}`;

  function waitFor(stream: "stdout" | "stderr", pattern: RegExp, from = 0): Promise<RegExpExecArray> {
    const { promise, resolve, reject } = Promise.withResolvers<RegExpExecArray>();
    const watch = () => {
      const found = pattern.exec(output[stream].slice(from));
      if (found !== null) resolve(found);
    };
    watchers.add(watch);
    watch();
    closed.promise.then(
      (outcome) => reject(new Error(`${name} ended before ${pattern}: ${JSON.stringify(outcome)}`)),
      reject,
    );
    return within(PATIENCE_MS, `${name} writes ${pattern}`, promise).finally(() => watchers.delete(watch));
  }

  return {
    pid: child.pid ?? 0,
    stdout: () => output.stdout,
    stderr: () => output.stderr,
    type: (text) => child.stdin.end(text),
    signal: (signal) => child.kill(signal),
    waitFor,
    ended: (timeoutMs = PATIENCE_MS) => within(timeoutMs, `${name} ends`, closed.promise),
    async [Symbol.asyncDispose]() {
      if (alive.has(child)) endGroup(child);
      await closed.promise.catch(() => {});
    },
  };
}
