import { readFileSync, statSync } from "node:fs";
import { dirname, isAbsolute } from "node:path";
import { CONTROLLING_TERMINAL, PROCESS_STATUS } from "../approval/terminal.ts";
import type { Config, ListenerConfig, TokenSourceConfig } from "../config/config.ts";
import type { Environment } from "../config/environment.ts";

/** What a sandboxed process may do, besides the network. */
export interface SandboxGrants {
  /** Files, and directories with all that is in them. */
  readonly read: readonly string[];
  /** Directories with all that is in them. */
  readonly write: readonly string[];
  /** Whether the config has commands to run. What they do is not held by the sandbox. */
  readonly childProcesses: boolean;
}

/** Group names of sockets, accounts of callers. */
const SYSTEM_FILES = ["/etc/group", "/etc/passwd"];
/** Credential files name files that name files; nothing that Google's tools write goes deeper. */
const MAX_DEPTH = 2;
const MAX_CREDENTIAL_BYTES = 1_048_576;

/**
 * What a config needs: every absolute path in it, what its credential files name in turn, and the directories in which
 * sockets and state are made. Files are read for their paths alone; one that is not there adds nothing.
 */
export function grantsFor(
  config: Config,
  listeners: readonly ListenerConfig[],
  environment: Environment,
): SandboxGrants {
  const sources = [...config.tokenSources.values()];
  const named = [...pathsIn(config), ...ambientPaths(sources, environment)];
  const credentials = named.filter((path) => path.endsWith(".json")).flatMap((path) => pathsNamedBy(path, MAX_DEPTH));
  const modules = sources.flatMap((source) => (source.type === "module" ? [dirname(source.path)] : []));
  const asksAtTerminal = config.rules.some(({ approve }) => approve?.by === "terminal");
  const systemFiles = asksAtTerminal ? [...SYSTEM_FILES, PROCESS_STATUS] : SYSTEM_FILES;
  const write = [
    ...listeners.flatMap((listener) => (listener.kind === "unix" ? [dirname(listener.path)] : [])),
    ...(config.stateDirectory === undefined ? [] : [config.stateDirectory]),
    ...(asksAtTerminal ? [CONTROLLING_TERMINAL] : []),
    ...(config.audit === undefined ? [] : [config.audit.signingKey, config.audit.file].flatMap(directoryOf)),
  ];
  return {
    // Nothing that lies below one of these directories beside it: of the two, Node would forget the directory itself.
    read: distinct([...[...named, ...credentials, ...modules, ...systemFiles].filter(outsideOf(write)), ...write]),
    write: distinct(write),
    childProcesses: sources.some(runsCommands) || config.rules.some(({ approve }) => approve?.by === "command"),
  };
}

function directoryOf(file: string | undefined): readonly string[] {
  return file === undefined ? [] : [dirname(file)];
}

function runsCommands(source: TokenSourceConfig): boolean {
  return source.type === "exec" || (source.type === "external_account" && source.allowExecutable);
}

/** Where `default` looks, and where Google's tools keep what credential files refer to without naming it. */
function ambientPaths(sources: readonly TokenSourceConfig[], environment: Environment): readonly string[] {
  if (!sources.some(({ type }) => type === "default" || type === "external_account")) return [];
  const home = environment.get("HOME");
  return [
    environment.get("GOOGLE_CREDENTIALS"),
    environment.get("GOOGLE_APPLICATION_CREDENTIALS"),
    environment.get("GOOGLE_API_CERTIFICATE_CONFIG"),
    environment.get("CLOUDSDK_CONFIG") ?? (home === undefined ? undefined : `${home}/.config/gcloud`),
  ].flatMap((path) => (path !== undefined && isAbsolute(path) ? [path] : []));
}

function pathsNamedBy(file: string, depth: number): readonly string[] {
  const paths = pathsIn(readJson(file));
  if (depth === 1) return paths;
  return [...paths, ...paths.filter((path) => path.endsWith(".json")).flatMap((path) => pathsNamedBy(path, depth - 1))];
}

function readJson(file: string): unknown {
  try {
    const status = statSync(file);
    // A pipe would be waited for, without end.
    if (!status.isFile() || status.size > MAX_CREDENTIAL_BYTES) return undefined;
    return JSON.parse(readFileSync(file, "utf8"));
  } catch {
    // Whoever needs it will say what is wrong with it.
    return undefined;
  }
}

/** Every text in it that is an absolute path, wherever it stands: so a new key of the config cannot be forgotten here. */
function pathsIn(value: unknown): readonly string[] {
  if (typeof value === "string") return isAbsolute(value) ? [value] : [];
  if (typeof value !== "object" || value === null) return [];
  const children: Iterable<unknown> = value instanceof Map ? value.values() : Object.values(value);
  return [...children].flatMap(pathsIn);
}

function outsideOf(directories: readonly string[]): (path: string) => boolean {
  return (path) => !directories.some((directory) => path.startsWith(`${directory}/`));
}

function distinct(paths: readonly string[]): readonly string[] {
  return [...new Set(paths)].toSorted();
}
