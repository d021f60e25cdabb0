import { open, stat } from "node:fs/promises";
import { MAX_DOCUMENT_BYTES } from "./defaults.ts";
import { ConfigError, fileError } from "./issue.ts";
import type { LoadedConfig } from "./parse.ts";

/**
 * Reads a config file.
 *
 * @throws ConfigError with every issue that was found, or why the file cannot be read
 */
export async function loadConfig(path: string): Promise<LoadedConfig> {
  const bytes = await readBounded(path);
  // Only now: a command that finds no config does not pay for the schema and the YAML parser.
  const { parseConfig } = await import("./parse.ts");
  return parseConfig(bytes, path);
}

async function readBounded(path: string): Promise<Uint8Array> {
  try {
    // Asked before it is opened: to open a pipe that nobody writes to would wait for ever.
    const stats = await stat(path);
    if (!stats.isFile()) throw fileError(path, "is not a regular file");
    await using file = await open(path, "r");
    const buffer = Buffer.alloc(MAX_DOCUMENT_BYTES + 1);
    let length = 0;
    while (length < buffer.length) {
      const { bytesRead } = await file.read(buffer, length, buffer.length - length);
      if (bytesRead === 0) break;
      length += bytesRead;
    }
    return buffer.subarray(0, length);
  } catch (error) {
    if (error instanceof ConfigError) throw error;
    throw fileError(path, `cannot be read: ${describeReadError(error)}`, error);
  }
}

const READ_ERRORS: Readonly<Record<string, string>> = {
  ENOENT: "there is no such file",
  ENOTDIR: "a part of its path is not a directory",
  EACCES: "permission denied; make it readable for the user that runs sops-keyd",
  EPERM: "permission denied; make it readable for the user that runs sops-keyd",
  ERR_ACCESS_DENIED: "the sandbox of this process was made without it; restart sops-keyd",
  ELOOP: "its symbolic links go in a circle",
  ENAMETOOLONG: "its path is too long",
};

/** Why a file cannot be read, in words. */
export function describeReadError(error: unknown): string {
  const code = error instanceof Error && "code" in error ? String(error.code) : "unknown error";
  return READ_ERRORS[code] ?? code;
}
