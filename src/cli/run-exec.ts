import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { childEnvironment, processEnvironment } from "../config/environment.ts";
import { createLog } from "../telemetry/log.ts";
import { loadActiveConfig } from "./active-config.ts";
import type { ExecOptions } from "./exec.ts";
import { CommandError, EXIT_FAILED, EXIT_USAGE } from "./exit.ts";
import { exitCodeOf, type ForwardedSignals, forwardSignals } from "./forwarded-signals.ts";
import { startKeyd } from "./keyd.ts";
import { parseLogLevelOption } from "./options.ts";
import { hardenProcess } from "./process-hardening.ts";

/** @returns the command's exit code */
export async function runExec(command: readonly string[], options: ExecOptions): Promise<number> {
  hardenProcess();
  using signals = forwardSignals();
  const log = createLog(parseLogLevelOption(options.logLevel), process.stderr.isTTY === true);
  const active = await loadActiveConfig(options.config, processEnvironment);
  for (const warning of active.warnings) log.warn(warning);
  // mkdtemp makes it 0700: the socket in it is this user's alone.
  const directory = mkdtempSync(join(tmpdir(), "sops-keyd-"));
  try {
    const path = join(directory, "keyservice.sock");
    const listener = { kind: "unix", path, mode: 0o600, group: undefined, caller: undefined } as const;
    const keyd = await startKeyd(active.config, [listener], log);
    try {
      if (signals.early !== undefined) return exitCodeOf(signals.early);
      const variables = { SOPS_KEYSERVICE: `unix://${path}`, SOPS_ENABLE_LOCAL_KEYSERVICE: "false" };
      return await run(command, variables, signals);
    } finally {
      await keyd.stop();
    }
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

function run(
  command: readonly string[],
  variables: Readonly<Record<string, string>>,
  signals: ForwardedSignals,
): Promise<number> {
  const [file = "", ...args] = command;
  const child = spawn(file, args, { stdio: "inherit", env: childEnvironment(variables) });
  signals.sendTo(child);
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  child.once("error", (error: NodeJS.ErrnoException) => reject(startError(file, error)));
  child.once("exit", (code, signal) => resolve(code ?? exitCodeOf(signal ?? "SIGKILL")));
  return promise;
}

function startError(file: string, error: NodeJS.ErrnoException): CommandError {
  if (error.code === "ENOENT") return new CommandError(`exec: there is no command "${file}"`, { exitCode: EXIT_USAGE });
  return new CommandError(`exec: "${file}" could not be started (${error.code})`, { exitCode: EXIT_FAILED });
}
