import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { CredentialLocation } from "../../src/config/config.ts";
import type { Environment } from "../../src/config/environment.ts";
import { ACCOUNT, CLIENT_SECRET, REFRESH_TOKEN, USER } from "./token-endpoint.ts";

/** Only what the test says is set, and never a metadata server that the test did not name. */
export function createEnvironment(variables: Record<string, string> = {}): Environment {
  const all: Record<string, string> = { METADATA_SERVER_DETECTION: "none", ...variables };
  return { get: (name) => all[name] || undefined };
}

export function serviceAccountKey(
  privateKeyPem: string,
  changes: Record<string, unknown> = {},
): Record<string, unknown> {
  return {
    type: "service_account",
    project_id: "team-a",
    private_key_id: "0123456789abcdef",
    private_key: privateKeyPem,
    client_email: ACCOUNT,
    token_uri: "https://oauth2.googleapis.com/token",
    ...changes,
  };
}

export function authorizedUser(changes: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    type: "authorized_user",
    account: USER,
    client_id: "client.apps.googleusercontent.com",
    client_secret: CLIENT_SECRET,
    refresh_token: REFRESH_TOKEN,
    ...changes,
  };
}

export function impersonated(
  source: Record<string, unknown>,
  target: string,
  changes: Record<string, unknown> = {},
): Record<string, unknown> {
  return {
    type: "impersonated_service_account",
    service_account_impersonation_url: `https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/${target}:generateAccessToken`,
    delegates: [],
    source_credentials: source,
    ...changes,
  };
}

export interface CredentialFolder extends AsyncDisposable {
  readonly path: string;
  /** Writes text or JSON, mode 0600 unless told otherwise. */
  write(name: string, content: unknown, mode?: number): Promise<CredentialLocation & { kind: "file" }>;
}

export async function createCredentialFolder(): Promise<CredentialFolder> {
  const path = await mkdtemp(join(tmpdir(), "token-source-"));
  return {
    path,
    async write(name, content, mode = 0o600) {
      const file = join(path, name);
      await writeFile(file, typeof content === "string" ? content : JSON.stringify(content), { mode });
      return { kind: "file", path: file };
    },
    [Symbol.asyncDispose]: () => rm(path, { recursive: true }),
  };
}
