import { basename } from "node:path";
import type { CommandApproveConfig } from "../config/config.ts";
import type { Environment } from "../config/environment.ts";
import { toPrintableLine } from "../core/errors.ts";
import { findProgram, selectVariables } from "../credentials/find-program.ts";
import { MAX_OUTPUT_BYTES, OutputTooLong, type ProgramOutcome, runProgram } from "../credentials/program.ts";
import type { ApprovalQuestion, Verdict } from "./verdict.ts";

const MAX_REASON_LENGTH = 200;

/**
 * Has a command say yes by ending with 0. It gets no shell, no standard input and no environment but what the config
 * names and what there is to decide about. The first line that it prints is the reason that a refused caller reads.
 *
 * @throws the signal's reason; the command is killed then
 */
export async function askCommand(
  config: CommandApproveConfig,
  question: ApprovalQuestion,
  environment: Environment,
  signal: AbortSignal,
): Promise<Verdict> {
  const [program = "", ...args] = config.command;
  const title = `the approval command ${basename(program)}`;
  const remedy = `correct approve.command of rule ${question.rule}`;
  const found = await findProgram(program, environment);
  if ("missing" in found) return { approved: false, problem: `${title} is missing: no ${found.missing}`, remedy };
  if ("forbidden" in found) {
    return { approved: false, problem: `${title} cannot be run by the user that sops-keyd runs as`, remedy };
  }
  const env = { ...selectVariables(config.env, environment), ...describeQuestion(question) };
  try {
    const outcome = await runProgram({ file: found.file, args, cwd: config.cwd, env }, signal);
    return outcome.exitCode === 0 ? { approved: true } : refusal(title, outcome);
  } catch (thrown) {
    if (signal.aborted) throw thrown;
    return { approved: false, problem: `${title} ${describeFailure(thrown)}`, remedy };
  }
}

function refusal(title: string, { stdout, exitCode, exitSignal }: ProgramOutcome): Verdict {
  const [firstLine = ""] = stdout.trim().split("\n");
  const end = exitSignal === null ? `ended with code ${exitCode}` : `was ended by ${exitSignal}`;
  const said = firstLine === "" ? `${title} ${end}` : toPrintableLine(firstLine.slice(0, MAX_REASON_LENGTH));
  return { approved: false, problem: `not approved: ${said}`, remedy: "ask who approves, then try again" };
}

function describeFailure(thrown: unknown): string {
  if (thrown instanceof OutputTooLong) return `printed more than ${MAX_OUTPUT_BYTES} bytes and was killed`;
  const code = thrown instanceof Error && "code" in thrown ? String(thrown.code) : "unknown error";
  return `cannot be started (${code})`;
}

/** What there is to decide about. All of it is of checked form: nothing of it is as a stranger wrote it. */
function describeQuestion({ request, rule, timeoutMs }: ApprovalQuestion): Readonly<Record<string, string>> {
  const { caller, operation, key } = request;
  const peer = caller.proofs.find((proof) => proof.kind === "unix_peer");
  return {
    SOPS_KEYD_CALLER: caller.names.join(","),
    SOPS_KEYD_LISTENER: caller.listener,
    SOPS_KEYD_OPERATION: operation,
    SOPS_KEYD_KEY: key,
    SOPS_KEYD_RULE: rule,
    SOPS_KEYD_TIMEOUT_MS: String(timeoutMs),
    ...(peer === undefined ? {} : { SOPS_KEYD_PEER_UID: String(peer.uid), SOPS_KEYD_PEER_PID: String(peer.pid) }),
  };
}
