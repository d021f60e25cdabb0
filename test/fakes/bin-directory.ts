import { accessSync, constants, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";

/** What the project's shell scripts call, and what any Linux or macOS has. */
const BASE_TOOLS = [
  "awk",
  "cat",
  "chmod",
  "cksum",
  "dirname",
  "env",
  "head",
  "mkdir",
  "mktemp",
  "mv",
  "node",
  "readlink",
  "rm",
  "sed",
  "sh",
  "sleep",
];

/** A directory that can stand for PATH: it has the base tools and the given scripts, and nothing else. */
export function createBinDirectory(directory: string, scripts: Readonly<Record<string, string>> = {}): string {
  mkdirSync(directory, { recursive: true });
  for (const tool of BASE_TOOLS) {
    if (!(tool in scripts)) symlinkSync(findTool(tool), join(directory, tool));
  }
  for (const [name, body] of Object.entries(scripts)) writeScript(join(directory, name), body);
  return directory;
}

export function writeScript(path: string, body: string): void {
  writeFileSync(path, `#!/bin/sh\n${body}\n`, { mode: 0o755 });
}

function findTool(name: string): string {
  for (const directory of (process.env["PATH"] ?? "").split(delimiter)) {
    const path = join(directory, name);
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // Not here.
    }
  }
  throw new Error(`there is no ${name} on PATH`);
}
