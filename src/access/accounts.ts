import type { CallerConfig } from "../config/callers.ts";
import { fileError } from "../config/issue.ts";
import { describeReadError } from "../config/load.ts";
import { findAccountId } from "../core/account-file.ts";

/** Where the names of accounts stand. */
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
  const id = tryFindId(file, account, what);
  if (id !== undefined) return id;
  throw fileError(file, `${what} ${account}, who is not here; create the account, or give its number`);
}

function tryFindId(file: string, account: string, what: string): number | undefined {
  try {
    return findAccountId(file, account);
  } catch (thrown) {
    const why = `${what} ${account}, and it cannot be read: ${describeReadError(thrown)}`;
    throw fileError(file, `${why}; give the number of the account`, thrown);
  }
}
