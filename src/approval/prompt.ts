import type { Caller } from "../access/caller.ts";
import { renderDuration } from "../config/duration.ts";
import { toPrintableLine } from "../core/errors.ts";
import { NoTerminal, type Terminal } from "./terminal.ts";
import type { ApprovalQuestion, Verdict } from "./verdict.ts";

const YES = /^y(es)?$/i;

/** Asks whoever sits at the terminal. @throws the signal's reason */
export async function askTerminal(
  question: ApprovalQuestion,
  terminal: Terminal | undefined,
  signal: AbortSignal,
): Promise<Verdict> {
  try {
    if (terminal === undefined) throw new NoTerminal("this program asks nobody at a terminal");
    const answer = await terminal.ask(renderQuestion(question), signal);
    if (YES.test(answer)) return { approved: true };
    return {
      approved: false,
      problem: "not approved: whoever sits at the terminal of sops-keyd said no",
      remedy: "try again, and answer y",
    };
  } catch (thrown) {
    if (!(thrown instanceof NoTerminal)) throw thrown;
    return {
      approved: false,
      problem: `nobody can be asked for approval: ${thrown.message}`,
      remedy: `run sops-keyd in the foreground of a terminal, or give rule ${question.rule} an approve.command`,
    };
  }
}

function renderQuestion({ request, rule, timeoutMs }: ApprovalQuestion): string {
  const lines = [
    `sops-keyd: ${request.operation} with ${request.key}`,
    `  for ${describeAsker(request.caller)}`,
    `  by rule ${rule}`,
  ];
  return `\n${lines.map(toPrintableLine).join("\n")}\napprove? [y/N] (within ${renderDuration(timeoutMs)}) `;
}

function describeAsker({ names, listener, proofs }: Caller): string {
  const who = names.length === 0 ? "a caller without a name" : `caller ${names.join(", ")}`;
  const peer = proofs.find((proof) => proof.kind === "unix_peer");
  const process = peer === undefined ? "" : ` (uid ${peer.uid}, pid ${peer.pid})`;
  return `${who} at ${listener}${process}`;
}
