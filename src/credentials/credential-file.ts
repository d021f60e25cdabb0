import { constants, type FileHandle, open } from "node:fs/promises";
import type { CredentialLocation } from "../config/config.ts";
import type { Environment } from "../config/environment.ts";
import { KeyServiceError } from "../core/errors.ts";

/** The text of a credential and where it lay, as errors and steps name it: `file /etc/key.json`. */
export interface CredentialText {
  readonly text: string;
  readonly origin: string;
}

/** Ten times the size of any credential that Google issues. */
export const MAX_CREDENTIAL_BYTES: number = 64 * 1024;

/**
 * Reads a credential anew at each call, so that a rotated one is used without a restart.
 *
 * @throws KeyServiceError `credential_missing` where there is none, `credential_rejected` where it cannot be used
 */
export type ReadCredential = () => Promise<CredentialText>;

/** @param warn told once where others can read the file */
export function createCredentialReader(
  location: CredentialLocation,
  environment: Environment,
  warn: (message: string) => void,
): ReadCredential {
  if (location.kind === "env") return async () => readVariable(location.variable, environment);
  let warned = false;
  return async () => {
    const { text, othersCanRead } = await readBounded(location.path);
    if (othersCanRead && !warned) {
      warned = true;
      warn(`credential file ${location.path} can be read by every user of this machine: chmod it to 0600`);
    }
    return { text, origin: `file ${location.path}` };
  };
}

function readVariable(variable: string, environment: Environment): CredentialText {
  const text = environment.get(variable);
  if (text === undefined) {
    throw new KeyServiceError("credential_missing", {
      problem: `environment variable ${variable} is not set`,
      remedy: "set it where sops-keyd is started, or correct env of the token source",
    });
  }
  if (text.length > MAX_CREDENTIAL_BYTES) throw tooLong(`environment variable ${variable}`);
  return { text, origin: `environment variable ${variable}` };
}

async function readBounded(path: string): Promise<{ text: string; othersCanRead: boolean }> {
  await using file = await openFile(path);
  const status = await file.stat();
  if (!status.isFile()) throw unusable(`credential file ${path} is not a regular file`);
  // Read to one byte past the bound rather than trusting the size: the file may grow meanwhile.
  const buffer = Buffer.alloc(MAX_CREDENTIAL_BYTES + 1);
  let bytes = 0;
  for (;;) {
    const { bytesRead } = await file.read(buffer, bytes, buffer.length - bytes, bytes);
    bytes += bytesRead;
    if (bytesRead === 0 || bytes === buffer.length) break;
  }
  if (bytes > MAX_CREDENTIAL_BYTES) throw tooLong(`credential file ${path}`);
  const text = buffer.toString("utf8", 0, bytes);
  buffer.fill(0);
  return { text, othersCanRead: (status.mode & 0o004) !== 0 };
}

async function openFile(path: string): Promise<FileHandle> {
  try {
    // Without O_NONBLOCK, opening a FIFO would wait for a writer for ever.
    return await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (cause) {
    const code = cause instanceof Error && "code" in cause ? String(cause.code) : "unknown";
    if (code === "ENOENT" || code === "ENOTDIR") {
      throw new KeyServiceError("credential_missing", {
        problem: `there is no credential file ${path}`,
        remedy: "put it there, or correct file of the token source",
        cause,
      });
    }
    throw new KeyServiceError("credential_rejected", {
      problem: `credential file ${path} cannot be opened (${code})`,
      remedy: "let the user that sops-keyd runs as read it",
      cause,
    });
  }
}

function tooLong(what: string): KeyServiceError {
  return unusable(`${what} is longer than ${MAX_CREDENTIAL_BYTES} bytes`);
}

function unusable(problem: string): KeyServiceError {
  return new KeyServiceError("credential_rejected", { problem, remedy: "name a credential as Google issues it" });
}
