import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ListenerConfig } from "../config/config.ts";
import { childEnvironment, processEnvironment } from "../config/environment.ts";
import { createLog, type Log } from "../telemetry/log.ts";
import { loadActiveConfig } from "./active-config.ts";
import type { ConnectOptions } from "./connect-options.ts";
import type { ExecOptions } from "./exec.ts";
import { CommandError, EXIT_FAILED, EXIT_USAGE } from "./exit.ts";
import { exitCodeOf, type ForwardedSignals, forwardSignals } from "./forwarded-signals.ts";
import { localListener } from "./listener-address.ts";
import { parseLogLevelOption } from "./options.ts";
import { hardenProcess } from "./process-hardening.ts";

const CONNECT_FLAGS = [
  ["ca", "--ca"],
  ["certificate", "--certificate"],
  ["privateKey", "--private-key"],
  ["serverName", "--server-name"],
  ["jwt", "--jwt"],
] as const satisfies readonly (readonly [keyof ConnectOptions, string])[];

/** @returns the command's exit code */
export async function runExec(command: readonly string[], options: ExecOptions): Promise<number> {
  hardenProcess();
  using signals = forwardSignals();
  const log = createLog(parseLogLevelOption(options.logLevel), process.stderr.isTTY === true);
  // mkdtemp makes it 0700: the socket in it is this user's alone.
  const directory = mkdtempSync(join(tmpdir(), "sops-keyd-"));
  try {
    const path = join(directory, "keyservice.sock");
    const service = await startService(options, localListener({ kind: "unix", path }), log);
    try {
      if (signals.early !== undefined) return exitCodeOf(signals.early);
      const variables = { SOPS_KEYSERVICE: `unix://${path}`, SOPS_ENABLE_LOCAL_KEYSERVICE: "false" };
      return await run(command, variables, signals);
    } finally {
      await service.stop();
    }
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** Its own, by a config; or a way to another one. */
async function startService(
  options: ExecOptions,
  listener: ListenerConfig,
  log: Log,
): Promise<{ stop(): Promise<boolean> }> {
  if (options.connect !== undefined) {
    if (options.config !== undefined)
      throw new CommandError("exec: --config is not used with --connect; take one out", { exitCode: EXIT_USAGE });
    const { startConnect } = await import("./start-connect.ts");
    return await startConnect(options.connect, listener, options, log);
  }
  refuseConnectOptions(options);
  const { startKeyd } = await import("./keyd.ts");
  const active = await loadActiveConfig(options.config, processEnvironment);
  for (const warning of active.warnings) log.warn(warning);
  return await startKeyd(active.config, [listener], log);
}

/** What would have no effect was meant to have one. */
function refuseConnectOptions(options: ExecOptions): void {
  const given = CONNECT_FLAGS.find(([name]) => options[name] !== undefined);
  if (given === undefined) return;
  throw new CommandError(`exec: ${given[1]} goes with --connect, which is not given`, { exitCode: EXIT_USAGE });
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
