import { codeOf, systemFileSystem } from "../audit/file-system.ts";
import { findLogFiles, type LogFiles } from "../audit/log-files.ts";
import { processEnvironment } from "../config/environment.ts";
import { describeReadError } from "../config/load.ts";
import { loadActiveConfig } from "./active-config.ts";
import { CommandError, EXIT_USAGE } from "./exit.ts";

/** The files that a command line means: those it names, or the log of the config. @throws CommandError */
export async function chooseLogFiles(given: readonly string[], config: string | undefined): Promise<LogFiles> {
  const files = given.length > 0 ? given : [await configuredFile(config)];
  return await asUsage(findLogFiles(systemFileSystem, files), files.join(", "));
}

async function configuredFile(option: string | undefined): Promise<string> {
  const { config } = await loadActiveConfig(option, processEnvironment);
  if (config.audit?.file !== undefined) return config.audit.file;
  throw new CommandError("audit: the config has no audit.file; name the log", { exitCode: EXIT_USAGE });
}

/** A file that cannot be read ends the command with a sentence and code 2. */
export async function asUsage<T>(work: Promise<T>, what: string): Promise<T> {
  try {
    return await work;
  } catch (thrown) {
    if (codeOf(thrown) === "an unknown error") throw thrown;
    const path = thrown instanceof Error && "path" in thrown ? String(thrown.path) : what;
    const message = `audit: ${path} cannot be read: ${describeReadError(thrown)}`;
    throw new CommandError(message, { exitCode: EXIT_USAGE, cause: thrown });
  }
}
