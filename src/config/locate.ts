import { stat } from "node:fs/promises";
import { isAbsolute, join } from "node:path";
import { type Environment, homeDirectory } from "./environment.ts";
import { fileError } from "./issue.ts";
import { describeReadError } from "./load.ts";

export type LocatedConfig =
  | {
      readonly path: string;
      /** Why this one, for `serve` to say: `--config`, `SOPS_KEYD_CONFIG`, `the user's config`, `the system's config`. */
      readonly chosenBy: string;
    }
  /** There is none: these were looked for. */
  | { readonly path: undefined; readonly lookedFor: readonly string[] };

/** Where the system's config lies. */
const SYSTEM_CONFIG = "/etc/sops-keyd/config.yaml";

/**
 * The config to use: `--config`, else `SOPS_KEYD_CONFIG`, else the user's, else the system's. The first two were
 * asked for by name, so there the search ends whether or not the file is there.
 *
 * A file that is there but cannot be looked at is taken as well: to pass over it, and so over its rules, would be
 * worse than the error that reading it gives.
 *
 * @param option what `--config` says
 * @throws ConfigError where a file that was asked for by name is missing
 */
export async function locateConfig(option: string | undefined, environment: Environment): Promise<LocatedConfig> {
  if (option !== undefined) return locateNamed(option, "--config");
  const named = environment.get("SOPS_KEYD_CONFIG");
  if (named !== undefined) return locateNamed(named, "SOPS_KEYD_CONFIG");
  const own = userConfigDirectory(environment);
  const candidates = [
    ...(own === undefined ? [] : [{ path: join(own, "sops-keyd", "config.yaml"), chosenBy: "the user's config" }]),
    { path: SYSTEM_CONFIG, chosenBy: "the system's config" },
  ];
  for (const candidate of candidates) {
    if ((await findAbsence(candidate.path)) === undefined) return candidate;
  }
  return { path: undefined, lookedFor: candidates.map(({ path }) => path) };
}

async function locateNamed(path: string, chosenBy: string): Promise<LocatedConfig> {
  const absence = await findAbsence(path);
  if (absence === undefined) return { path, chosenBy };
  throw fileError(path, `${absence} (${chosenBy} names it)`);
}

/** Why a file is certainly not there; undefined where it is, or may be. */
async function findAbsence(path: string): Promise<string | undefined> {
  try {
    await stat(path);
    return undefined;
  } catch (error) {
    const isAbsent = error instanceof Error && "code" in error && (error.code === "ENOENT" || error.code === "ENOTDIR");
    return isAbsent ? describeReadError(error) : undefined;
  }
}

// https://specifications.freedesktop.org/basedir-spec/latest/: a relative path is to be ignored.
function userConfigDirectory(environment: Environment): string | undefined {
  const xdg = environment.get("XDG_CONFIG_HOME");
  if (xdg !== undefined && isAbsolute(xdg)) return xdg;
  const home = homeDirectory(environment);
  return home === undefined ? undefined : join(home, ".config");
}
