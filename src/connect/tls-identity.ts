import { readFileSync, statSync } from "node:fs";
import { createSecureContext, getCACertificates, type SecureContext } from "node:tls";
import type { Clock } from "../core/clock.ts";
import { KeyServiceError } from "../core/errors.ts";

/** Paths of PEM files. */
export interface TlsFiles {
  /** CAs to trust instead of Node.js' own. */
  readonly ca: string | undefined;
  /** Both or neither. */
  readonly certificate: string | undefined;
  readonly privateKey: string | undefined;
}

/** Whom we trust and who we are, as the files say now. */
export interface TlsIdentity {
  /** The name in the server's certificate, where it is not the host's. */
  readonly serverName: string | undefined;
  /** `version` changes with the files. What became bad is not taken: the last good one stays. */
  current(): { readonly context: SecureContext; readonly version: number };
}

/** How often it is looked whether the files changed. */
const LOOK_INTERVAL_MS = 1_000;

/** @throws KeyServiceError `credential_rejected` where a file cannot be used at the start */
export function createTlsIdentity(
  files: TlsFiles,
  serverName: string | undefined,
  clock: Clock,
  warn: (message: string) => void,
): TlsIdentity {
  const paths = [files.ca, files.certificate, files.privateKey].filter((path) => path !== undefined);
  let state = stateOf(paths);
  let context = loadContext(files);
  let version = 0;
  let lookedAtMs = clock.monotonicMs();

  function look(): void {
    if (clock.monotonicMs() - lookedAtMs < LOOK_INTERVAL_MS) return;
    lookedAtMs = clock.monotonicMs();
    const now = stateOf(paths);
    if (now === state) return;
    state = now;
    try {
      context = loadContext(files);
      version += 1;
    } catch (thrown) {
      warn(`the old client certificate stays: ${thrown instanceof Error ? thrown.message : "the new one is bad"}`);
    }
  }

  return {
    serverName,
    current() {
      if (paths.length > 0) look();
      return { context, version };
    },
  };
}

/** Another text whenever a file was written or replaced, also through symbolic links. */
function stateOf(paths: readonly string[]): string {
  return paths.map(stateOfFile).join();
}

function stateOfFile(path: string): string {
  try {
    const { ino, size, mtimeNs } = statSync(path, { bigint: true });
    return `${ino} ${size} ${mtimeNs}`;
  } catch {
    // Why it cannot be used is told where it is read.
    return "none";
  }
}

function loadContext({ ca, certificate, privateKey }: TlsFiles): SecureContext {
  try {
    return createSecureContext({
      minVersion: "TLSv1.3",
      ca: ca === undefined ? getCACertificates("default") : readPem(ca),
      ...(certificate === undefined || privateKey === undefined
        ? {}
        : { cert: readPem(certificate), key: readPem(privateKey) }),
    });
  } catch (cause) {
    if (cause instanceof KeyServiceError) throw cause;
    throw new KeyServiceError("credential_rejected", {
      problem: `the certificates for the connection cannot be used${codeIn(cause)}`,
      remedy: "check --ca, --certificate and --private-key: PEM files, and the key must be that of the certificate",
      cause,
    });
  }
}

function readPem(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (cause) {
    throw new KeyServiceError("credential_rejected", {
      problem: `${path} cannot be read${codeIn(cause)}`,
      remedy: "check --ca, --certificate and --private-key, and that they can be read by whom sops-keyd runs as",
      cause,
    });
  }
}

/** Node's word for a failure, in brackets behind a message; never its text. */
function codeIn(cause: unknown): string {
  return cause instanceof Error && "code" in cause ? ` (${String(cause.code)})` : "";
}
