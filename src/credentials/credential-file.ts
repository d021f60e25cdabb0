import type { CredentialLocation } from "../config/config.ts";
import type { Environment } from "../config/environment.ts";
import { FileRefusedError, readBoundedFile } from "../core/bounded-file.ts";
import { KeyServiceError } from "../core/errors.ts";

/** The text of a credential and where it lay, as errors and steps name it: `file /etc/key.json`. */
export interface CredentialText {
  readonly text: string;
  readonly origin: string;
}

/** Ten times the size of any credential that Google issues. */
export const MAX_CREDENTIAL_BYTES: number = 64 * 1024;

const READABLE_BY_OTHERS = 0o004;

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
    const { text, mode } = await readText(location.path);
    if ((mode & READABLE_BY_OTHERS) !== 0 && !warned) {
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

async function readText(path: string): Promise<{ readonly text: string; readonly mode: number }> {
  try {
    const { bytes, mode } = await readBoundedFile(path, MAX_CREDENTIAL_BYTES);
    const text = bytes.toString("utf8");
    bytes.fill(0);
    return { text, mode };
  } catch (thrown) {
    throw describeReadFailure(thrown, path);
  }
}

function describeReadFailure(thrown: unknown, path: string): unknown {
  if (thrown instanceof FileRefusedError) {
    return thrown.reason === "too_large"
      ? tooLong(`credential file ${path}`)
      : unusable(`credential file ${path} ${thrown.message}`);
  }
  const code = thrown instanceof Error && "code" in thrown ? String(thrown.code) : "unknown";
  if (code === "ENOENT" || code === "ENOTDIR") {
    return new KeyServiceError("credential_missing", {
      problem: `there is no credential file ${path}`,
      remedy: "put it there, or correct file of the token source",
      cause: thrown,
    });
  }
  return new KeyServiceError("credential_rejected", {
    problem: `credential file ${path} cannot be opened (${code})`,
    remedy: "let the user that sops-keyd runs as read it",
    cause: thrown,
  });
}

function tooLong(what: string): KeyServiceError {
  return unusable(`${what} is longer than ${MAX_CREDENTIAL_BYTES} bytes`);
}

function unusable(problem: string): KeyServiceError {
  return new KeyServiceError("credential_rejected", { problem, remedy: "name a credential as Google issues it" });
}
