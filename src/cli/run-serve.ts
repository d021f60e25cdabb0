import { renderAddress } from "../config/address.ts";
import type { Config, ListenerConfig } from "../config/config.ts";
import { processEnvironment } from "../config/environment.ts";
import { findClosedDirectory } from "../server/socket-reach.ts";
import { createLog, type Log } from "../telemetry/log.ts";
import { type ActiveConfig, loadActiveConfig } from "./active-config.ts";
import { CommandError, EXIT_USAGE } from "./exit.ts";
import { type Keyd, needsPeers, startKeyd } from "./keyd.ts";
import { chooseListeners } from "./listener-address.ts";
import { parseLogLevelOption } from "./options.ts";
import { hardenProcess } from "./process-hardening.ts";
import { createReload } from "./reload.ts";
import { announceReady, endRunning } from "./running.ts";
import { closeSandbox, enterSandbox, isSandboxed } from "./sandbox.ts";
import { grantsFor } from "./sandbox-grants.ts";
import type { ServeOptions } from "./serve.ts";
import { nextStopSignal } from "./stop-signal.ts";

/** Serves until SIGTERM or SIGINT. */
export async function runServe(options: ServeOptions): Promise<void> {
  const log = createLog(parseLogLevelOption(options.logLevel), process.stderr.isTTY === true);
  const gaps = hardenProcess();
  const active = await loadActiveConfig(options.config, processEnvironment);
  if (options.sandbox === true && !isSandboxed()) startSandbox(options, active.config);
  announceConfig(active, log);
  for (const gap of gaps) log.warn(gap);
  // First: a signal while it starts, or as soon as it says that it is ready, must not leave anything behind.
  const stopSignal = nextStopSignal();
  const emulated = options.emulator === true ? await startEmulated(log) : undefined;
  try {
    const adapt = emulated?.adapt ?? ((config: Config) => config);
    const config = adapt(active.config);
    const listenersOf = (each: Config) => chooseListeners(options, each, processEnvironment);
    const keyd = await startKeyd(config, listenersOf(config), log);
    const apply = (next: ActiveConfig) => keyd.apply(adapt(next.config), listenersOf(next.config));
    const reload = createReload({ read: active.reload, apply, refused: keyd.refused }, log);
    const stopped = untilStopped(keyd, stopSignal, reload, log);
    // With each connection a C function is asked who it is.
    if (!needsPeers(config)) closeSandbox();
    announceListeners(keyd, options, log);
    warnOfClosedDirectories(listenersOf(config), log);
    await stopped;
  } finally {
    await emulated?.close();
  }
}

/** Does not come back: the program is started anew. */
function startSandbox(options: ServeOptions, config: Config): void {
  if (options.emulator === true) {
    const message = "--sandbox and --emulator do not go together: the emulator makes files, and keeps no secrets";
    throw new CommandError(message, { exitCode: EXIT_USAGE });
  }
  enterSandbox(grantsFor(config, chooseListeners(options, config, processEnvironment), processEnvironment));
}

interface Emulated {
  readonly adapt: (config: Config) => Config;
  close(): Promise<void>;
}

async function startEmulated(log: Log): Promise<Emulated> {
  const { startEmulator } = await import("../emulator/emulator.ts");
  const { withEmulator } = await import("./emulated-config.ts");
  const emulator = await startEmulator();
  log.warn("asking an emulator instead of Google: anyone on this machine can use its keys; never for real secrets", {
    emulator: emulator.url,
  });
  return { adapt: (config) => withEmulator(config, emulator), close: () => emulator.close() };
}

function announceConfig(active: ActiveConfig, log: Log): void {
  log.info(active.origin, { config: active.config.path, hash: active.config.hash.slice(0, 16) });
  for (const warning of active.warnings) log.warn(warning);
}

function announceListeners(keyd: Keyd, options: ServeOptions, log: Log): void {
  for (const address of keyd.addresses) log.info("listening", { address });
  announceReady(keyd.addresses, options.json === true);
}

function warnOfClosedDirectories(listeners: readonly ListenerConfig[], log: Log): void {
  for (const listener of listeners) {
    const directory = findClosedDirectory(listener);
    if (directory === undefined) continue;
    log.warn("others may open this socket, and cannot get to it: chmod +x its directory, or take mode out", {
      address: renderAddress(listener),
      directory,
    });
  }
}

/** Resolves when the server has ended. A second signal while it drains ends the process at once. */
async function untilStopped(
  keyd: Keyd,
  stopSignal: Promise<NodeJS.Signals>,
  reload: () => Promise<void>,
  log: Log,
): Promise<void> {
  let reloading = Promise.resolve();
  const onReload = () => {
    reloading = reload();
  };
  process.on("SIGHUP", onReload);
  const signal = await stopSignal;
  process.off("SIGHUP", onReload);
  // One under way may be opening the audit log: it is not to do so behind the end.
  await reloading;
  await endRunning(() => keyd.stop(), signal, log);
}
