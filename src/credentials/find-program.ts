import { constants } from "node:fs";
import { access, stat } from "node:fs/promises";
import { isAbsolute, join } from "node:path";
import type { Environment } from "../config/environment.ts";

const USUAL_PATH = "/usr/local/bin:/usr/bin:/bin";

/** Where a program is, or why it cannot be run. */
export type FoundProgram =
  | { readonly file: string }
  /** Where it was looked for. */
  | { readonly missing: string }
  /** It is there, but not for us. */
  | { readonly forbidden: string };

/**
 * Finds what a config calls a program: an absolute path, or a name on PATH. To be looked for at each run, so that one
 * that is installed later is found.
 */
export async function findProgram(program: string, environment: Environment): Promise<FoundProgram> {
  const folders = isAbsolute(program) ? [""] : pathOf(environment).split(":").filter(isAbsolute);
  let present: string | undefined;
  for (const folder of folders) {
    const file = join(folder, program);
    if (!(await isFile(file))) continue;
    if (await isExecutable(file)) return { file };
    present ??= file;
  }
  if (present !== undefined) return { forbidden: present };
  return { missing: isAbsolute(program) ? program : `${program} on PATH` };
}

/** PATH, HOME and the named variables, of our own environment: all that a program of the config gets of it. */
export function selectVariables(names: readonly string[], environment: Environment): Record<string, string> {
  const selected: Record<string, string> = { PATH: pathOf(environment) };
  for (const name of ["HOME", ...names]) {
    const value = environment.get(name);
    if (value !== undefined) selected[name] = value;
  }
  return selected;
}

function pathOf(environment: Environment): string {
  return environment.get("PATH") ?? USUAL_PATH;
}

async function isFile(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isFile();
  } catch {
    return false;
  }
}

async function isExecutable(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
