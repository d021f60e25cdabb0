import { assemble } from "../assembly.ts";
import type { Config, ListenerConfig } from "../config/config.ts";
import { ConfigError } from "../config/issue.ts";
import { systemClock } from "../core/clock.ts";
import { describeCause } from "../core/describe-cause.ts";
import { createBoundedKeyService, createKeyService } from "../key-service.ts";
import { ListenError } from "../server/listen-error.ts";
import { createReloadable } from "../server/reloadable.ts";
import { startServer } from "../server/server.ts";
import { type Log, logCall } from "../telemetry/log.ts";
import { CommandError, EXIT_USAGE } from "./exit.ts";
import { processSurroundings } from "./surroundings.ts";

/** A running key service. */
export interface Keyd {
  readonly addresses: readonly string[];
  /**
   * Uses `config` from the next call on; listeners and limits stay as they were.
   *
   * @throws ConfigError, ListenError where it cannot be used; the old one stays
   */
  apply(config: Config): void;
  /** @returns whether all calls in flight were answered */
  stop(): Promise<boolean>;
}

/** @throws CommandError where a listener cannot be opened or a file of the config cannot be read */
export async function startKeyd(config: Config, listeners: readonly ListenerConfig[], log: Log): Promise<Keyd> {
  const surroundings = processSurroundings((message) => log.warn(message));
  const state = createReloadable(await asUsage(() => assemble(config, surroundings)));
  const unbounded = createKeyService(state.current, systemClock, (call) => logCall(log, call));
  const service = createBoundedKeyService(unbounded, config.limits.maxCalls);
  const server = await asUsage(() =>
    startServer(listeners, config.limits, service, systemClock, { identifyPeers: needsPeers(config) }),
  );
  return {
    addresses: server.addresses,
    apply(next) {
      if (needsPeers(next)) server.identifyPeers();
      state.swap(assemble(next, surroundings)).catch((thrown: unknown) => {
        log.warn("the old config's connections could not be closed", { cause: describeCause(thrown) });
      });
    },
    async stop() {
      const answered = await server.drain();
      await state.close();
      return answered;
    },
  };
}

/** Whether a caller is told by the process that connects. */
function needsPeers({ callers }: Config): boolean {
  return [...callers.values()].some(({ kind }) => kind === "unix");
}

/** What an operator can mend in the config ends the command with its sentence and code 2. */
async function asUsage<T>(start: () => T | Promise<T>): Promise<T> {
  try {
    return await start();
  } catch (thrown) {
    if (thrown instanceof ListenError || thrown instanceof ConfigError)
      throw new CommandError(thrown.message, { exitCode: EXIT_USAGE, cause: thrown });
    throw thrown;
  }
}
