import { accessSync, constants } from "node:fs";
import { dirname, isAbsolute } from "node:path";
import { resolveAccounts } from "../access/accounts.ts";
import type { Config, ListenerConfig, TokenSourceConfig } from "../config/config.ts";
import { ConfigError } from "../config/issue.ts";
import { groupId } from "../server/group-id.ts";
import { ListenError } from "../server/listen-error.ts";
import { PemError } from "../server/pem.ts";
import { readTlsFiles, validateTls } from "../server/tls-material.ts";

/** A key of the config, and what it names that this machine does not have. */
export interface MissingHere {
  readonly path: string;
  readonly problem: string;
}

/**
 * All that a config names and this machine, or the user who asks, does not have: `serve` would not start by it, or would
 * refuse calls later. Looks alone: nothing is made, run or asked.
 */
export async function findMissingHere(config: Config, nowMs: number): Promise<readonly MissingHere[]> {
  const listeners = config.listeners.map((listener, index) => checkListener(listener, `listeners[${index}]`, nowMs));
  return [
    ...(await Promise.all(listeners)).flat(),
    ...checkCallers(config),
    ...checkSources(config),
    ...checkRules(config),
    ...checkFile("google.caFile", config.google.caFile),
    ...checkAudit(config),
  ];
}

async function checkListener(listener: ListenerConfig, path: string, nowMs: number): Promise<readonly MissingHere[]> {
  try {
    if (listener.kind === "unix" && listener.group !== undefined) groupId(listener.group);
    if (listener.kind === "tcp" && listener.tls !== undefined) {
      validateTls(await readTlsFiles(listener.tls), listener.tls, nowMs);
    }
    return [];
  } catch (thrown) {
    if (thrown instanceof ListenError) return [{ path: `${path}.group`, problem: thrown.message }];
    if (thrown instanceof PemError) return [{ path: `${path}.tls`, problem: thrown.message }];
    throw thrown;
  }
}

function checkCallers({ callers }: Config): readonly MissingHere[] {
  return [...callers].flatMap(([name, caller]) => {
    const path = `callers.${name}`;
    if (caller.kind === "jwt") {
      const { keys } = caller;
      if (keys.kind === "file") return checkFile(`${path}.jwt.keys`, keys.path);
      return [...checkFile(`${path}.jwt.caFile`, keys.caFile), ...checkFile(`${path}.jwt.tokenFile`, keys.tokenFile)];
    }
    return checkAccount(path, () => resolveAccounts(new Map([[name, caller]])));
  });
}

function checkAccount(path: string, resolve: () => unknown): readonly MissingHere[] {
  try {
    resolve();
    return [];
  } catch (thrown) {
    if (!(thrown instanceof ConfigError)) throw thrown;
    return thrown.issues.map(({ message }) => ({ path, problem: message }));
  }
}

function checkSources({ tokenSources }: Config): readonly MissingHere[] {
  return [...tokenSources].flatMap(([name, source]) => checkSource(source, `tokenSources.${name}`));
}

function checkSource(source: TokenSourceConfig, path: string): readonly MissingHere[] {
  if (source.type === "exec") return checkCommand(`${path}.command`, source.command);
  if (source.type === "module") return checkFile(`${path}.path`, source.path);
  const location = "credential" in source ? source.credential : "token" in source ? source.token : undefined;
  return location?.kind === "file" ? checkFile(`${path}.file`, location.path) : [];
}

function checkRules({ rules }: Config): readonly MissingHere[] {
  return rules.flatMap(({ approve, kms }, index) => [
    ...checkFile(`rules[${index}].kms.caFile`, kms.caFile),
    ...(approve?.by === "command" ? checkCommand(`rules[${index}].approve.command`, approve.command) : []),
  ]);
}

function checkAudit({ audit }: Config): readonly MissingHere[] {
  const { file, syslog } = audit ?? {};
  return [
    ...(file === undefined ? [] : checkAccess("audit.file", dirname(file), constants.W_OK, "directory")),
    ...checkFile("audit.syslog.caFile", syslog?.caFile),
  ];
}

/** A name without a path is looked for when it is run. */
function checkCommand(path: string, [program = ""]: readonly string[]): readonly MissingHere[] {
  return isAbsolute(program) ? checkAccess(path, program, constants.X_OK, "program") : [];
}

function checkFile(path: string, file: string | undefined): readonly MissingHere[] {
  return file === undefined ? [] : checkAccess(path, file, constants.R_OK, "file");
}

const ACTS: Readonly<Record<number, string>> = {
  [constants.R_OK]: "read",
  [constants.W_OK]: "write to",
  [constants.X_OK]: "run",
};

function checkAccess(path: string, file: string, mode: number, what: string): readonly MissingHere[] {
  try {
    accessSync(file, mode);
    return [];
  } catch (thrown) {
    const isMissing = thrown instanceof Error && "code" in thrown && thrown.code === "ENOENT";
    const problem = isMissing ? `there is no ${what} ${file}` : `this user may not ${ACTS[mode]} ${file}`;
    return [{ path, problem }];
  }
}
