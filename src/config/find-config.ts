import type { Environment } from "./environment.ts";
import { fileError } from "./issue.ts";
import { loadConfig } from "./load.ts";
import { locateConfig } from "./locate.ts";
import type { LoadedConfig } from "./parse.ts";

export interface FoundConfig extends LoadedConfig {
  /** As it was given or found. */
  readonly path: string;
  /** Why this one. */
  readonly chosenBy: string;
}

/**
 * The config of a command that cannot do without one.
 *
 * @param option what `--config` says
 * @throws ConfigError where there is none, or what is wrong with it
 */
export async function findConfig(option: string | undefined, environment: Environment): Promise<FoundConfig> {
  const located = await locateConfig(option, environment);
  if (located.path === undefined) {
    throw fileError(
      "sops-keyd",
      `no config found (looked for ${located.lookedFor.join(", ")}); name one with --config`,
    );
  }
  return { ...located, ...(await loadConfig(located.path)) };
}
