import { findAccountId } from "../core/account-file.ts";
import { ListenError } from "./listen-error.ts";

const GROUP_FILE = "/etc/group";

/**
 * The number of a group, by its number or its name in /etc/group. Groups that only a directory service knows must be
 * given by number.
 *
 * @throws ListenError
 */
export function groupId(group: string, groupFile: string = GROUP_FILE): number {
  if (/^[0-9]{1,10}$/.test(group)) return Number(group);
  const id = findAccountId(groupFile, group);
  if (id !== undefined) return id;
  throw new ListenError(`there is no group "${group}" in ${groupFile}; create it, or give its number`);
}
