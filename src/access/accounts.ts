import { readFileSync } from "node:fs";
import type { CallerConfig } from "../config/callers.ts";
import { fileError } from "../config/issue.ts";

/** Where the names of accounts stand. Node has no call for them. */
export interface AccountFiles {
  readonly users: string;
  readonly groups: string;
}

export const SYSTEM_ACCOUNTS: AccountFiles = { users: "/etc/passwd", groups: "/etc/group" };

/**
 * The same callers with numbers in place of the names of users and groups. Accounts that only a directory service
 * knows must be given by number.
 *
 * @throws ConfigError where there is no such account: a caller that nobody can be would be a silent refusal
 */
export function resolveAccounts(
  callers: ReadonlyMap<string, CallerConfig>,
  files: AccountFiles = SYSTEM_ACCOUNTS,
): ReadonlyMap<string, CallerConfig> {
  return new Map([...callers].map(([name, caller]) => [name, resolveAccount(name, caller, files)]));
}

function resolveAccount(name: string, caller: CallerConfig, files: AccountFiles): CallerConfig {
  if (caller.kind !== "unix") return caller;
  const place = `callers.${name}.unix`;
  return {
    ...caller,
    uid: accountId(caller.uid, files.users, `${place}.uid names user`),
    gid: accountId(caller.gid, files.groups, `${place}.gid names group`),
  };
}

function accountId(account: number | string | undefined, file: string, what: string): number | undefined {
  if (typeof account !== "string") return account;
  // passwd(5) and group(5) agree in their first and third fields.
  for (const line of readFileSync(file, "utf8").split("\n")) {
    const [name, , id = ""] = line.split(":");
    if (name === account && /^[0-9]{1,10}$/.test(id)) return Number(id);
  }
  throw fileError(file, `${what} ${account}, who is not here; create the account, or give its number`);
}
