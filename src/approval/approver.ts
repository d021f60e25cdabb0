import type { Approve, ApprovedBy } from "../access/approval.ts";
import type { ApproveConfig } from "../config/config.ts";
import { renderDuration } from "../config/duration.ts";
import type { Environment } from "../config/environment.ts";
import type { Clock } from "../core/clock.ts";
import { abortReason, createDeadline } from "../core/deadline.ts";
import { KeyServiceError } from "../core/errors.ts";
import { askCommand } from "./command.ts";
import { createApprovalMemory } from "./memory.ts";
import { askTerminal } from "./prompt.ts";
import type { Terminal } from "./terminal.ts";
import { createTurns, TooManyWaiting, type Turns } from "./turns.ts";
import type { ApprovalQuestion, Verdict } from "./verdict.ts";

export interface ApproverOptions {
  readonly environment: Environment;
  readonly clock: Clock;
  /** Undefined: there is none to ask at. */
  readonly terminal: Terminal | undefined;
}

const MAX_COMMANDS_AT_ONCE = 8;
const MAX_WAITING = 64;
const OVER = "the time for approval is over";

/** One question at a time, whatever the number of configs that are in force while one takes the place of another. */
const TERMINAL_TURNS: Turns = createTurns(1, MAX_WAITING);

/** Asks for approval: one question at a time at a terminal, a few commands at once, and the rest wait within bounds. */
export function createApprover({ environment, clock, terminal }: ApproverOptions): Approve {
  const memory = createApprovalMemory(clock);
  const commandTurns = createTurns(MAX_COMMANDS_AT_ONCE, MAX_WAITING);

  function ask(config: ApproveConfig, question: ApprovalQuestion, signal: AbortSignal): Promise<Verdict> {
    return config.by === "command"
      ? askCommand(config, question, environment, signal)
      : askTerminal(question, terminal, signal);
  }

  async function askInTurn(
    config: ApproveConfig,
    question: ApprovalQuestion,
    signal: AbortSignal,
  ): Promise<ApprovedBy> {
    const { request } = question;
    using _turn = await (config.by === "command" ? commandTurns : TERMINAL_TURNS).take(signal);
    // The one before may have asked the same.
    if (config.rememberMs > 0 && memory.has(request)) return "remembered";
    const verdict = await ask(config, question, signal);
    if (!verdict.approved) {
      throw new KeyServiceError("approval_refused", { problem: verdict.problem, remedy: verdict.remedy });
    }
    if (config.rememberMs > 0) memory.remember(request, config.rememberMs);
    return config.by;
  }

  return async (request, rule, config, signal) => {
    if (config.rememberMs > 0 && memory.has(request)) return "remembered";
    const { timeoutMs } = config;
    using deadline = createDeadline(clock, timeoutMs, OVER, signal);
    try {
      return await askInTurn(config, { request, rule, timeoutMs }, deadline.signal);
    } catch (thrown) {
      throw signal.aborted ? abortReason(signal) : describeEnd(thrown, deadline.signal.aborted, rule, timeoutMs);
    }
  };
}

function describeEnd(thrown: unknown, isLate: boolean, rule: string, timeoutMs: number): unknown {
  if (isLate) return unanswered(rule, timeoutMs);
  return thrown instanceof TooManyWaiting ? tooManyWaiting() : thrown;
}

function unanswered(rule: string, timeoutMs: number): KeyServiceError {
  return new KeyServiceError("approval_refused", {
    problem: `not approved: nobody answered within ${renderDuration(timeoutMs)}`,
    remedy: `try again when somebody can answer, or raise approve.timeout of rule ${rule}`,
  });
}

function tooManyWaiting(): KeyServiceError {
  return new KeyServiceError("overloaded", {
    problem: `${MAX_WAITING} calls wait for approval already`,
    remedy: "try again when some of them have been answered",
  });
}
