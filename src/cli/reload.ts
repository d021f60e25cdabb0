import type { Log } from "../telemetry/log.ts";
import type { ActiveConfig } from "./active-config.ts";

/** A config that has been taken. */
export interface Taken {
  /** Keys in which it differs from what runs, and which only a restart applies. */
  readonly restartKeys: readonly string[];
}

/** What a reload does with the configs that it reads. */
export interface ReloadSteps {
  /** @throws where the config has errors */
  read(): Promise<ActiveConfig>;
  /** @throws where a config without errors cannot be used */
  apply(active: ActiveConfig): Promise<Taken>;
  /** Told why a config was not taken. */
  refused(problem: string): void;
}

/**
 * Reads the config again and applies it, one at a time: what is asked for while one runs is done once more after it, so
 * that the last config that was written is the one that stays. What cannot be used changes nothing. Never rejects.
 */
export function createReload(steps: ReloadSteps, log: Log): () => Promise<void> {
  let running: Promise<void> | undefined;
  let again = false;

  async function reloadOnce(): Promise<void> {
    try {
      const active = await steps.read();
      const { restartKeys } = await steps.apply(active);
      announce(active, restartKeys, log);
    } catch (thrown) {
      const problem = thrown instanceof Error ? thrown.message : String(thrown);
      log.error(`config not taken, the old one stays: ${problem}`);
      steps.refused(problem);
    }
  }

  async function reloadUntilQuiet(): Promise<void> {
    do {
      again = false;
      await reloadOnce();
    } while (again);
    running = undefined;
  }

  return () => {
    again = true;
    running ??= reloadUntilQuiet();
    return running;
  };
}

function announce({ config, warnings }: ActiveConfig, restartKeys: readonly string[], log: Log): void {
  log.info("config read again; it applies from the next call on", {
    config: config.path,
    hash: config.hash.slice(0, 16),
  });
  for (const warning of warnings) log.warn(warning);
  if (restartKeys.length === 0) return;
  log.warn("changed in the config, but only a restart applies it; until then the old values hold", {
    keys: restartKeys.join(", "),
  });
}
