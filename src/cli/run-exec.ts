import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { constants, tmpdir } from "node:os";
import { join } from "node:path";
import { childEnvironment, processEnvironment } from "../config/environment.ts";
import { createLog } from "../telemetry/log.ts";
import { loadActiveConfig } from "./active-config.ts";
import type { ExecOptions } from "./exec.ts";
import { CommandError, EXIT_FAILED, EXIT_USAGE } from "./exit.ts";
import { startKeyd } from "./keyd.ts";
import { parseLogLevelOption } from "./options.ts";

const FORWARDED = ["SIGTERM", "SIGHUP", "SIGUSR2", "SIGINT", "SIGQUIT"] as const satisfies readonly NodeJS.Signals[];
/** A terminal sends these to the command as well: passed on, each would arrive twice. */
const SENT_BY_TERMINAL: readonly NodeJS.Signals[] = ["SIGINT", "SIGQUIT"];
const SIGNAL_EXIT_BASE = 128;

/** @returns the command's exit code */
export async function runExec(command: readonly string[], options: ExecOptions): Promise<number> {
  const log = createLog(parseLogLevelOption(options.logLevel), process.stderr.isTTY === true);
  const active = await loadActiveConfig(options.config, processEnvironment);
  for (const warning of active.warnings) log.warn(warning);
  // From here on there is something to clear away, so that no signal may end this process by itself.
  using signals = takeSignals();
  // mkdtemp makes it 0700: the socket in it is this user's alone.
  const directory = mkdtempSync(join(tmpdir(), "sops-keyd-"));
  try {
    const path = join(directory, "keyservice.sock");
    const listener = { kind: "unix", path, mode: 0o600, group: undefined, caller: undefined } as const;
    const keyd = await startKeyd(active.config, [listener], log);
    try {
      const variables = { SOPS_KEYSERVICE: `unix://${path}`, SOPS_ENABLE_LOCAL_KEYSERVICE: "false" };
      return await run(command, variables, signals);
    } finally {
      await keyd.stop();
    }
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

async function run(
  command: readonly string[],
  variables: Readonly<Record<string, string>>,
  signals: TakenSignals,
): Promise<number> {
  const [file = "", ...args] = command;
  const child = spawn(file, args, { stdio: "inherit", env: childEnvironment(variables) });
  signals.passTo(child);
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  child.once("error", (error: NodeJS.ErrnoException) => reject(startError(file, error)));
  child.once("exit", (code, signal) =>
    resolve(code ?? SIGNAL_EXIT_BASE + (constants.signals[signal ?? "SIGKILL"] ?? 0)),
  );
  return await promise;
}

/** Signals that end neither this process nor are lost: those that came before the command has started wait for it. */
interface TakenSignals extends Disposable {
  passTo(child: ChildProcess): void;
}

function takeSignals(): TakenSignals {
  const onTerminal = process.stdin.isTTY === true || process.stderr.isTTY === true;
  const waiting = new Set<NodeJS.Signals>();
  let command: ChildProcess | undefined;
  const take = (signal: NodeJS.Signals) => {
    if (command === undefined) waiting.add(signal);
    else if (!(onTerminal && SENT_BY_TERMINAL.includes(signal))) command.kill(signal);
  };
  for (const signal of FORWARDED) process.on(signal, take);
  return {
    passTo(child) {
      command = child;
      for (const signal of waiting) child.kill(signal);
    },
    [Symbol.dispose]() {
      for (const signal of FORWARDED) process.off(signal, take);
    },
  };
}

function startError(file: string, error: NodeJS.ErrnoException): CommandError {
  if (error.code === "ENOENT") return new CommandError(`exec: there is no command "${file}"`, { exitCode: EXIT_USAGE });
  return new CommandError(`exec: "${file}" could not be started (${error.code})`, { exitCode: EXIT_FAILED });
}
