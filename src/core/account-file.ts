import { readFileSync } from "node:fs";

/**
 * The number of a user or group by its name, from a file such as /etc/passwd or /etc/group: Node has no call for it.
 * Accounts that only a directory service knows are not there.
 *
 * @returns undefined where there is none of this name
 * @throws the operating system's error where the file cannot be read
 */
export function findAccountId(file: string, name: string): number | undefined {
  // passwd(5) and group(5) agree in their first and third fields.
  for (const line of readFileSync(file, "utf8").split("\n")) {
    const [found, , id = ""] = line.split(":");
    if (found === name && /^[0-9]{1,10}$/.test(id)) return Number(id);
  }
  return undefined;
}
