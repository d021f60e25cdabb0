import { chmod, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { ExecSourceConfig } from "../../src/config/config.ts";
import type { CredentialFolder } from "./token-credentials.ts";

/** An exec source over a shell script, with a time limit that a throttled machine keeps. */
export async function createScript(
  folder: Pick<CredentialFolder, "path">,
  script: string,
  changes: Partial<ExecSourceConfig> = {},
): Promise<ExecSourceConfig> {
  const path = join(folder.path, "give-token");
  await writeFile(path, `#!/bin/sh\n${script}\n`);
  await chmod(path, 0o700);
  return { type: "exec", command: [path], env: [], cwd: folder.path, timeoutMs: 30_000, ...changes };
}
