import type { Config } from "../config/config.ts";
import type { Environment } from "../config/environment.ts";
import { ConfigError, renderIssue } from "../config/issue.ts";
import { loadConfig } from "../config/load.ts";
import { locateConfig } from "../config/locate.ts";
import { CommandError, EXIT_USAGE } from "./exit.ts";

/** The config that a command runs on, and where it came from. */
export interface ActiveConfig {
  readonly config: Config;
  /** One line each, for the log. */
  readonly warnings: readonly string[];
  /** In words, for the log. */
  readonly origin: string;
  /** Reads the same place again. */
  reload(): Promise<ActiveConfig>;
}

/**
 * What `--config` or its stand-ins name; with no config anywhere, the one that stands in for `sops keyservice`.
 *
 * @throws CommandError with every issue of the config
 */
export async function loadActiveConfig(option: string | undefined, environment: Environment): Promise<ActiveConfig> {
  try {
    return await locateAndLoad(option, environment);
  } catch (thrown) {
    if (!(thrown instanceof ConfigError)) throw thrown;
    throw new CommandError(thrown.message, { exitCode: EXIT_USAGE, cause: thrown });
  }
}

async function locateAndLoad(option: string | undefined, environment: Environment): Promise<ActiveConfig> {
  const located = await locateConfig(option, environment);
  const reload = () => loadActiveConfig(option, environment);
  if (located.path !== undefined) {
    const { config, warnings } = await loadConfig(located.path);
    return { config, warnings: warnings.map(renderIssue), origin: `config taken from ${located.chosenBy}`, reload };
  }
  const { createDefaultConfig } = await import("../config/default-config.ts");
  const origin = `no config (looked for ${located.lookedFor.join(", ")}): standing in for sops keyservice`;
  return { config: createDefaultConfig(environment), warnings: [], origin, reload };
}
