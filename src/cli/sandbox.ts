import { realpathSync } from "node:fs";
import { dirname, join } from "node:path";
import { childEnvironment } from "../config/environment.ts";
import { CommandError, EXIT_FAILED } from "./exit.ts";
import type { SandboxGrants } from "./sandbox-grants.ts";

/** Whether this process is held by Node's permission model already. */
export function isSandboxed(): boolean {
  return process.permission !== undefined;
}

/**
 * Starts this program anew in its own place, with the same process id, under Node's permission model: what it may read,
 * write and run can only be said before it starts. Nothing may be open yet, since nothing is taken along.
 * https://nodejs.org/api/permissions.html#permission-model
 *
 * @throws CommandError where this platform cannot
 */
export function enterSandbox(grants: SandboxGrants): never {
  const [node, script, ...args] = process.argv;
  if (process.execve === undefined || node === undefined || script === undefined) {
    throw new CommandError("--sandbox: this Node.js cannot start itself anew; run it without", {
      exitCode: EXIT_FAILED,
    });
  }
  const flags = sandboxFlags(grants, dirname(dirname(realpathSync(script))));
  process.execve(process.execPath, [node, ...process.execArgv, ...flags, script, ...args], childEnvironment({}));
  throw new CommandError("--sandbox: the program could not be started anew", { exitCode: EXIT_FAILED });
}

/** @param root the directory of package.json */
export function sandboxFlags(grants: SandboxGrants, root: string): readonly string[] {
  const own = ["package.json", "compile-cache", "src", "dist", "proto", "schema"].map((name) => join(root, name));
  return [
    "--permission",
    // Node warns of each of the two below, in lines that would stand between those of a JSON log.
    "--disable-warning=PERM0003",
    "--disable-warning=ExperimentalWarning",
    // Which hosts is for the config to say: Node knows only all or none.
    "--allow-net",
    // For what is called once at the start; dropped before the first call is served, unless a caller has `unix`.
    "--allow-ffi",
    ...(grants.childProcesses ? ["--allow-child-process"] : []),
    ...[...own, ...moduleDirectories(root), ...grants.read].flatMap(withContent("read")),
    ...grants.write.flatMap(withContent("write")),
  ];
}

/** Where Node looks for the packages that we depend on: a global installation has them beside us. */
function moduleDirectories(root: string): readonly string[] {
  const parent = dirname(root);
  return [join(root, "node_modules"), ...(parent === root ? [] : moduleDirectories(parent))];
}

/** A path, and all below it: Node takes a path that is not there yet for a file. */
function withContent(kind: "read" | "write"): (path: string) => readonly string[] {
  return (path) => [`--allow-fs-${kind}=${path}`, `--allow-fs-${kind}=${join(path, "*")}`];
}

/** From here on nothing calls C functions any more: what was looked up at the start still works, nothing new does. */
export function closeSandbox(): void {
  process.permission?.drop("ffi");
}
