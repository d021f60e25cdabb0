import { type ChildProcess, spawn } from "node:child_process";
import type { Clock } from "../../core/clock.ts";
import { createDeadline } from "../../core/deadline.ts";
import { KeyServiceError } from "../../core/errors.ts";

export interface ExecutableRun {
  /** An absolute path and its arguments; no shell reads them. */
  readonly command: readonly [string, ...string[]];
  /** All that the executable gets to see of an environment. */
  readonly environment: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
  readonly maxOutputBytes: number;
  readonly clock: Clock;
}

/**
 * What an executable prints. Its standard error output goes nowhere: it may hold anything. When the time is over, or the
 * signal fires, it is killed with all that it started, and waited for no longer.
 *
 * @throws KeyServiceError `credential_rejected` where it cannot be run, prints too much or takes too long,
 * `credential_unavailable` where it fails, or the signal's reason
 */
export async function runExecutable(run: ExecutableRun, signal: AbortSignal): Promise<string> {
  const { command, environment, timeoutMs, clock } = run;
  const [path, ...args] = command;
  using deadline = createDeadline(clock, timeoutMs, "time limit", signal);
  const child = start(path, args, environment);
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const onAbort = () => reject(signal.aborted ? signal.reason : tookTooLong(path, timeoutMs));
  deadline.signal.addEventListener("abort", onAbort, { once: true });
  if (deadline.signal.aborted) onAbort();
  child.once("error", (cause) => reject(cannotRun(path, cause)));
  collect(child, run.maxOutputBytes, path, reject, (output) => {
    child.exitCode === 0 ? resolve(output) : reject(failed(path, child));
  });
  try {
    return await promise;
  } catch (error) {
    killGroup(child);
    throw error;
  }
}

function start(path: string, args: readonly string[], env: Readonly<Record<string, string>>): ChildProcess {
  try {
    // A process group of its own, so that what it started ends with it.
    return spawn(path, args, { env, stdio: ["ignore", "pipe", "ignore"], detached: true });
  } catch (cause) {
    throw cannotRun(path, cause);
  }
}

function collect(
  child: ChildProcess,
  maxBytes: number,
  path: string,
  reject: (error: KeyServiceError) => void,
  done: (output: string) => void,
): void {
  const chunks: Buffer[] = [];
  let bytes = 0;
  child.stdout?.on("data", (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes <= maxBytes) chunks.push(chunk);
    else reject(unusable(`executable ${path} printed more than ${maxBytes} bytes`));
  });
  child.once("close", () => done(Buffer.concat(chunks).toString("utf8")));
}

function killGroup({ pid, stdout }: ChildProcess): void {
  stdout?.destroy();
  if (pid === undefined) return;
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // Nobody is left in the group.
  }
}

function cannotRun(path: string, cause: unknown): KeyServiceError {
  const code =
    cause instanceof Error && "code" in cause && typeof cause.code === "string" ? cause.code : "no further reason";
  return unusable(`executable ${path} cannot be run (${code})`, cause);
}

function failed(path: string, { exitCode, signalCode }: ChildProcess): KeyServiceError {
  const how = exitCode === null ? `was ended by ${signalCode ?? "a signal"}` : `failed with exit code ${exitCode}`;
  return new KeyServiceError("credential_unavailable", {
    problem: `executable ${path} ${how}`,
    remedy: "run it by hand as the user of sops-keyd: what it says of errors is not shown here",
  });
}

function tookTooLong(path: string, timeoutMs: number): KeyServiceError {
  // Not tried again at once: what hangs would hang again, and hold up whoever waits.
  return new KeyServiceError("credential_rejected", {
    problem: `executable ${path} did not end within ${timeoutMs / 1000} seconds`,
    remedy: "see what it waits for: it must end within timeout_millis of the credential file, and within a refresh",
  });
}

function unusable(problem: string, cause?: unknown): KeyServiceError {
  return new KeyServiceError("credential_rejected", {
    problem,
    remedy: "check the command in the credential file",
    cause,
  });
}
