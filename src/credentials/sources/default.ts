import { stat } from "node:fs/promises";
import type { CredentialLocation } from "../../config/config.ts";
import { KeyServiceError } from "../../core/errors.ts";
import { createCredentialReader, type ReadCredential } from "../credential-file.ts";
import type { MintToken, SourceContext } from "../source-context.ts";
import type { Token, TokenSource } from "../token.ts";
import { createAccessTokenSource } from "./access-token.ts";
import { createCredentialSource } from "./credential.ts";
import { createMetadataSource } from "./metadata.ts";

const METADATA_TIMEOUT_MS = 3000;

/**
 * The order in which sops itself looks for a Google credential: GOOGLE_CREDENTIALS, a path or the JSON itself, then
 * GOOGLE_OAUTH_ACCESS_TOKEN, then application default credentials.
 * https://getsops.io/docs/#23encrypting-using-gcp-kms
 * https://cloud.google.com/docs/authentication/application-default-credentials
 *
 * The first that is there is used; one that is there and refused is not passed over.
 *
 * @param mint for a credential of any type
 */
export function createDefaultSource(name: string, mint: MintToken, context: SourceContext): TokenSource {
  const metadata = createMetadataSource(name, { account: "default", timeoutMs: METADATA_TIMEOUT_MS }, context);
  const warnOnce = createWarnOnce(context.warn);

  const reader = (location: CredentialLocation) => createCredentialReader(location, context.environment, warnOnce);
  const fromCredential = (read: ReadCredential, signal: AbortSignal) =>
    createCredentialSource(name, read, undefined, mint, context).fetchToken(signal);

  const fetch = async (signal: AbortSignal): Promise<Token> => {
    const { environment } = context;
    const credentials = environment.get("GOOGLE_CREDENTIALS");
    if (credentials !== undefined) {
      return fromCredential(reader(await locateGoogleCredentials(credentials)), signal);
    }
    if (environment.get("GOOGLE_OAUTH_ACCESS_TOKEN") !== undefined) {
      const read = reader({ kind: "env", variable: "GOOGLE_OAUTH_ACCESS_TOKEN" });
      return createAccessTokenSource(name, read, context.clock).fetchToken(signal);
    }
    const named = environment.get("GOOGLE_APPLICATION_CREDENTIALS");
    if (named !== undefined) {
      return fromCredential(mustExist(reader({ kind: "file", path: named }), "GOOGLE_APPLICATION_CREDENTIALS"), signal);
    }
    const wellKnown = wellKnownPath(context);
    if (wellKnown !== undefined && (await exists(wellKnown))) {
      return fromCredential(reader({ kind: "file", path: wellKnown }), signal);
    }
    return metadata.fetchToken(signal);
  };

  return {
    name,
    async fetchToken(signal) {
      try {
        return await fetch(signal);
      } catch (error) {
        if (error instanceof KeyServiceError && error.code === "credential_missing") throw nothingFound(name, error);
        throw error;
      }
    },
  };
}

async function locateGoogleCredentials(value: string): Promise<CredentialLocation> {
  // As sops decides it: what is a file is a path, everything else is the credential.
  const isPath = !value.trimStart().startsWith("{") && (await exists(value));
  return isPath ? { kind: "file", path: value } : { kind: "env", variable: "GOOGLE_CREDENTIALS" };
}

/** gcloud's own place, which follows CLOUDSDK_CONFIG. */
function wellKnownPath({ environment }: SourceContext): string | undefined {
  const home = environment.get("HOME");
  const folder = environment.get("CLOUDSDK_CONFIG") ?? (home === undefined ? undefined : `${home}/.config/gcloud`);
  return folder === undefined ? undefined : `${folder}/application_default_credentials.json`;
}

async function exists(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (error) {
    // A file that is there and cannot be reached is no reason to take another identity.
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    return code === "EACCES";
  }
}

/** Where a variable names a file, its absence is a mistake, not a reason to take another identity. */
function mustExist(read: ReadCredential, variable: string): ReadCredential {
  return async () => {
    try {
      return await read();
    } catch (error) {
      if (!(error instanceof KeyServiceError) || error.code !== "credential_missing") throw error;
      throw new KeyServiceError("credential_rejected", {
        problem: `${variable} names a file that does not exist`,
        remedy: "correct the variable or unset it",
        cause: error,
      });
    }
  };
}

function nothingFound(source: string, cause: KeyServiceError): KeyServiceError {
  return new KeyServiceError("credential_missing", {
    source,
    problem: "no google credential was found in the environment, in gcloud's folder or at a metadata server",
    remedy: "set GOOGLE_APPLICATION_CREDENTIALS or run gcloud auth application-default login",
    cause,
  });
}

/** Readers are made anew at each fetch here, so what was said once is remembered here; there are few to say. */
function createWarnOnce(warn: (message: string) => void): (message: string) => void {
  let last: string | undefined;
  return (message) => {
    if (message === last) return;
    last = message;
    warn(message);
  };
}
