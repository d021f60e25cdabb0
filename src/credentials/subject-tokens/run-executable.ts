import type { Clock } from "../../core/clock.ts";
import { abortReason, createDeadline } from "../../core/deadline.ts";
import { KeyServiceError } from "../../core/errors.ts";
import { MAX_OUTPUT_BYTES, OutputTooLong, type ProgramOutcome, runProgram } from "../program.ts";

export interface ExecutableRun {
  /** An absolute path and its arguments; no shell reads them. */
  readonly command: readonly [string, ...string[]];
  /** All that the executable gets to see of an environment. */
  readonly environment: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
  readonly clock: Clock;
}

/**
 * What an executable prints. When the time is over, or the signal fires, it is killed with all that it started.
 *
 * @throws KeyServiceError `credential_rejected` where it cannot be run, prints too much or takes too long,
 * `credential_unavailable` where it fails, or the signal's reason
 */
export async function runExecutable(run: ExecutableRun, signal: AbortSignal): Promise<string> {
  const { command, environment, timeoutMs, clock } = run;
  if (signal.aborted) throw abortReason(signal);
  const [file, ...args] = command;
  using deadline = createDeadline(clock, timeoutMs, "time limit", signal);
  let outcome: ProgramOutcome;
  try {
    outcome = await runProgram({ file, args, env: environment }, deadline.signal);
  } catch (thrown) {
    if (signal.aborted) throw abortReason(signal);
    throw deadline.signal.aborted ? tookTooLong(file, timeoutMs) : explain(file, thrown);
  }
  if (outcome.exitCode === 0) return outcome.stdout;
  throw failed(file, outcome);
}

function explain(path: string, thrown: unknown): KeyServiceError {
  if (!(thrown instanceof OutputTooLong)) return cannotRun(path, thrown);
  return unusable(`executable ${path} printed more than ${MAX_OUTPUT_BYTES} bytes`, thrown);
}

function cannotRun(path: string, cause: unknown): KeyServiceError {
  const code =
    cause instanceof Error && "code" in cause && typeof cause.code === "string" ? cause.code : "no further reason";
  return unusable(`executable ${path} cannot be run (${code})`, cause);
}

function failed(path: string, { exitCode, exitSignal }: ProgramOutcome): KeyServiceError {
  const how = exitCode === null ? `was ended by ${exitSignal ?? "a signal"}` : `failed with exit code ${exitCode}`;
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
