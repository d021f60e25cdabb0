import { type ChildProcess, spawn } from "node:child_process";
import { abortReason } from "../core/deadline.ts";

export interface ProgramRun {
  /** Absolute. */
  readonly file: string;
  readonly args: readonly string[];
  /** Undefined: ours. */
  readonly cwd?: string;
  /** All that it gets; nothing of our own environment besides. */
  readonly env: Readonly<Record<string, string>>;
}

export interface ProgramOutcome {
  /** At most {@link MAX_OUTPUT_BYTES}. */
  readonly stdout: string;
  /** It may hold anything, so only its length is told. */
  readonly stderrBytes: number;
  readonly exitCode: number | null;
  readonly exitSignal: string | null;
}

/** Far above any token answer. */
export const MAX_OUTPUT_BYTES: number = 64 * 1024;

/** It printed more than {@link MAX_OUTPUT_BYTES}. */
export class OutputTooLong extends Error {
  override readonly name = "OutputTooLong";
}

/**
 * Runs a program to its end, without a shell. It leads a process group of its own, and that group is killed when the
 * signal fires, when it prints too much, and when it has ended: what it left behind would hold its output open, and
 * outlive us.
 *
 * @throws the signal's reason, OutputTooLong, or the system's error where it cannot be started
 */
export function runProgram(run: ProgramRun, signal: AbortSignal): Promise<ProgramOutcome> {
  const { promise, resolve, reject } = Promise.withResolvers<ProgramOutcome>();
  if (signal.aborted) return Promise.reject(abortReason(signal));
  // Without file descriptors to spare it comes without its pipes, whatever the narrower type says.
  const child: ChildProcess = spawn(run.file, run.args, {
    ...(run.cwd === undefined ? {} : { cwd: run.cwd }),
    env: { ...run.env },
    stdio: ["ignore", "pipe", "pipe"],
    detached: true,
    shell: false,
  });
  const chunks: Buffer[] = [];
  let stdoutBytes = 0;
  let stderrBytes = 0;

  const giveUp = (error: Error) => {
    killGroup(child);
    // What still comes is nobody's, and an open pipe would keep the process alive.
    child.stdout?.destroy();
    child.stderr?.destroy();
    reject(error);
  };
  const onAbort = () => giveUp(abortReason(signal));
  signal.addEventListener("abort", onAbort, { once: true });

  child.stdout?.on("data", (chunk: Buffer) => {
    stdoutBytes += chunk.length;
    if (stdoutBytes > MAX_OUTPUT_BYTES) giveUp(new OutputTooLong());
    else chunks.push(chunk);
  });
  child.stderr?.on("data", (chunk: Buffer) => {
    stderrBytes += chunk.length;
  });
  child.on("error", giveUp);
  child.on("exit", () => killGroup(child));
  child.on("close", (exitCode, exitSignal) => {
    resolve({ stdout: Buffer.concat(chunks).toString("utf8"), stderrBytes, exitCode, exitSignal });
  });
  return promise.finally(() => {
    signal.removeEventListener("abort", onAbort);
    for (const chunk of chunks) chunk.fill(0);
  });
}

function killGroup({ pid }: ChildProcess): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // The group is gone already.
  }
}
