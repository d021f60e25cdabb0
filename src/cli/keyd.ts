import { assemble } from "../assembly.ts";
import type { Config, ListenerConfig } from "../config/config.ts";
import { processEnvironment } from "../config/environment.ts";
import { systemClock } from "../core/clock.ts";
import { describeCause } from "../core/describe-cause.ts";
import { createKeyService } from "../key-service.ts";
import { ListenError } from "../server/listen-error.ts";
import { createReloadable } from "../server/reloadable.ts";
import { type KeyServer, startServer } from "../server/server.ts";
import { type Log, logCall } from "../telemetry/log.ts";
import { CommandError, EXIT_USAGE } from "./exit.ts";
import { readVersion } from "./version.ts";

/** A running key service. */
export interface Keyd {
  readonly addresses: readonly string[];
  /** Uses `config` from the next call on; listeners and limits stay as they were. */
  apply(config: Config): void;
  /** @returns whether all calls in flight were answered */
  stop(): Promise<boolean>;
}

/** @throws CommandError where a listener cannot be opened */
export async function startKeyd(config: Config, listeners: readonly ListenerConfig[], log: Log): Promise<Keyd> {
  const surroundings = {
    environment: processEnvironment,
    clock: systemClock,
    warn: (message: string) => log.warn(message),
    userAgent: `sops-keyd/${readVersion()}`,
  };
  const state = createReloadable(assemble(config, surroundings));
  const service = createKeyService(state.current, systemClock, (call) => logCall(log, call));
  const server = await open(() => startServer(listeners, config.limits, service, systemClock));
  return {
    addresses: server.addresses,
    apply(next) {
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

async function open(start: () => Promise<KeyServer>): Promise<KeyServer> {
  try {
    return await start();
  } catch (thrown) {
    if (thrown instanceof ListenError) throw new CommandError(thrown.message, { exitCode: EXIT_USAGE, cause: thrown });
    throw thrown;
  }
}
