import { stat } from "node:fs/promises";
import { basename } from "node:path";
import type { ExecSourceConfig } from "../../config/config.ts";
import type { Environment } from "../../config/environment.ts";
import { abortReason, createDeadline } from "../../core/deadline.ts";
import { KeyServiceError } from "../../core/errors.ts";
import { findProgram, selectVariables } from "../find-program.ts";
import { MAX_OUTPUT_BYTES, OutputTooLong, type ProgramOutcome, runProgram } from "../program.ts";
import type { SourceContext } from "../source-context.ts";
import type { Token, TokenSource } from "../token.ts";
import { transportCode } from "../token-request.ts";
import { type ExecAnswer, readExecAnswer } from "./exec-answer.ts";

/**
 * Tokens from a command of the user's. It gets no shell, no standard input and only the environment variables that
 * the config names; what it writes to standard error may hold anything and is counted, never shown.
 */
export function createExecSource(name: string, config: ExecSourceConfig, context: SourceContext): TokenSource {
  const { clock, environment } = context;
  const [program = "", ...args] = config.command;
  const title = `command ${basename(program)}`;

  const run = async (file: string, signal: AbortSignal): Promise<ProgramOutcome> => {
    const late = `${title} did not end within ${config.timeoutMs / 1000} seconds and was killed`;
    using deadline = createDeadline(clock, config.timeoutMs, late, signal);
    const env = { ...selectVariables(config.env, environment), SOPS_KEYD_TOKEN_SCOPE: context.scope };
    try {
      return await runProgram({ file, args, cwd: config.cwd, env }, deadline.signal);
    } catch (thrown) {
      if (signal.aborted) throw abortReason(signal);
      throw await toRunError(thrown, title, config.cwd);
    }
  };

  const fetch = async (signal: AbortSignal): Promise<Token> => {
    const file = await locate(program, environment);
    const startedMs = clock.nowMs();
    const outcome = await run(file, signal);
    const answer = understand(outcome, title, startedMs);
    if (answer.kind === "failure") throw reportedFailure(answer.code, title);
    const { accessToken, expiresAtMs, format } = answer;
    return { accessToken, expiresAtMs, steps: [title, format] };
  };

  return {
    name,
    async fetchToken(signal) {
      try {
        return await fetch(signal);
      } catch (error) {
        throw error instanceof KeyServiceError ? error.within({ source: name }) : error;
      }
    },
  };
}

function understand(outcome: ProgramOutcome, title: string, startedMs: number): ExecAnswer {
  const failed = outcome.exitCode !== 0;
  const answer = failed ? readFailure(outcome.stdout, startedMs) : readAnswer(outcome.stdout, title, startedMs);
  if (answer !== undefined) return answer;
  const end = outcome.exitSignal === null ? `with code ${outcome.exitCode}` : `by ${outcome.exitSignal}`;
  const how = failed ? `ended ${end}` : "printed no JSON object";
  throw new KeyServiceError("credential_unavailable", {
    problem: `${title} ${how} (${outcome.stdout.length} characters of output, ${outcome.stderrBytes} bytes of errors, not shown)`,
    remedy: "run it by hand as the user that sops-keyd runs as, with the variables that the config names",
  });
}

function readAnswer(stdout: string, title: string, startedMs: number): ExecAnswer | undefined {
  try {
    return readExecAnswer(stdout, startedMs);
  } catch (error) {
    if (!(error instanceof KeyServiceError)) throw error;
    const problem = `${title} ended well, but ${error.detail.problem}`;
    throw new KeyServiceError(error.code, { ...error.detail, problem, cause: error });
  }
}

/** A command that fails may still say why; its token, if it printed one, is not trusted. */
function readFailure(stdout: string, startedMs: number): ExecAnswer | undefined {
  try {
    const answer = readExecAnswer(stdout, startedMs);
    return answer?.kind === "failure" ? answer : undefined;
  } catch {
    return undefined;
  }
}

function reportedFailure(code: string | undefined, title: string): KeyServiceError {
  return new KeyServiceError("credential_rejected", {
    problem: `${title} says that it has no token (${code ?? "without a code that could be shown"})`,
    remedy: "run it by hand as the user that sops-keyd runs as: its message says more",
  });
}

/** @throws KeyServiceError */
async function locate(program: string, environment: Environment): Promise<string> {
  const found = await findProgram(program, environment);
  if ("file" in found) return found.file;
  if ("missing" in found) {
    throw new KeyServiceError("credential_missing", {
      problem: `there is no program ${found.missing}`,
      remedy: "install it where sops-keyd runs, or correct command of the token source",
    });
  }
  throw new KeyServiceError("credential_rejected", {
    problem: `${found.forbidden} cannot be run by the user that sops-keyd runs as`,
    remedy: "check its permissions",
  });
}

async function toRunError(thrown: unknown, title: string, cwd: string): Promise<KeyServiceError> {
  if (thrown instanceof KeyServiceError) {
    const remedy = "run it by hand to see what it waits for, or raise timeout of this token source";
    return new KeyServiceError("credential_unavailable", { problem: thrown.detail.problem, remedy, cause: thrown });
  }
  if (thrown instanceof OutputTooLong) {
    return new KeyServiceError("credential_unavailable", {
      problem: `${title} printed more than ${MAX_OUTPUT_BYTES} bytes and was killed`,
      remedy: "let it print the token's JSON alone",
    });
  }
  // The system says ENOENT both where the folder is missing and where the script's interpreter is.
  const folderIsThere = await stat(cwd).then(
    (status) => status.isDirectory(),
    () => false,
  );
  return new KeyServiceError("credential_rejected", {
    problem: `${title} cannot be started (${transportCode(thrown)})`,
    remedy: folderIsThere
      ? "check the program and the interpreter that its first line names"
      : `there is no directory ${cwd}`,
    cause: thrown,
  });
}
