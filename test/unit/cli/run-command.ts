import { spawn } from "node:child_process";
import { text } from "node:stream/consumers";

export interface CommandResult {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

const TIME_LIMIT_MS = 20_000;

/** Runs a command as a user would, so that exit codes and streams are the real ones. */
export async function runCommand(
  args: readonly string[],
  variables: Readonly<Record<string, string>> = {},
): Promise<CommandResult> {
  const { FORCE_COLOR: _force, NO_COLOR: _no, SOPS_KEYD_CONFIG: _config, ...inherited } = process.env;
  const child = spawn(process.execPath, [new URL("../../../src/main.ts", import.meta.url).pathname, ...args], {
    env: { ...inherited, METADATA_SERVER_DETECTION: "none", ...variables },
    stdio: ["ignore", "pipe", "pipe"],
    timeout: TIME_LIMIT_MS,
  });
  const exit = new Promise<number | null>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", resolve);
  });
  const [exitCode, stdout, stderr] = await Promise.all([exit, text(child.stdout), text(child.stderr)]);
  return { exitCode, stdout, stderr };
}
