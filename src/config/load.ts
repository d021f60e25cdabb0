import { FileRefusedError, readBoundedFile } from "../core/bounded-file.ts";
import { MAX_DOCUMENT_BYTES } from "./defaults.ts";
import { fileError } from "./issue.ts";
import type { LoadedConfig } from "./parse.ts";

/**
 * Reads a config file.
 *
 * @throws ConfigError with every issue that was found, or why the file cannot be read
 */
export async function loadConfig(path: string): Promise<LoadedConfig> {
  const bytes = await readBytes(path);
  // Only now: a command that finds no config does not pay for the schema and the YAML parser.
  const { parseConfig } = await import("./parse.ts");
  return parseConfig(bytes, path);
}

async function readBytes(path: string): Promise<Uint8Array> {
  try {
    return (await readBoundedFile(path, MAX_DOCUMENT_BYTES)).bytes;
  } catch (error) {
    if (error instanceof FileRefusedError) throw fileError(path, error.message);
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
