import { styleText } from "node:util";
import type { Emulator } from "../emulator/emulator.ts";

export const WARNING: string =
  "NOT FOR REAL SECRETS: this emulator is for tests; whoever can read its credential files can use every key.";

/** The block under `google:` in a config that points sops-keyd at an emulator. */
export interface EmulatorEndpoints {
  readonly kms: string;
  readonly oauth2: string;
  readonly sts: string;
  readonly iamCredentials: string;
  readonly metadata: string;
}

export function endpointsOf({ url }: Pick<Emulator, "url">): EmulatorEndpoints {
  return { kms: url, oauth2: url, sts: url, iamCredentials: url, metadata: url };
}

/** One line, for a program that has started the emulator. */
export function renderJson(emulator: Emulator): string {
  const { url, tlsUrl, port, files, principals } = emulator;
  return JSON.stringify({ url, tlsUrl, port, endpoints: endpointsOf(emulator), files, principals });
}

export interface TextOptions {
  /** Keys are kept in a directory. */
  readonly isKept: boolean;
  readonly hasColors: boolean;
}

/** For a person: what runs, what not to use it for, and lines to copy. */
export function renderText(emulator: Emulator, { isKept, hasColors }: TextOptions): string {
  const { url, tlsUrl, files, principals } = emulator;
  const style = (format: "bold" | "yellow" | "dim", text: string): string =>
    hasColors ? styleText(format, text, { validateStream: false }) : text;
  const endpoints = Object.entries(endpointsOf(emulator)).map(([name, address]) => `      ${name}: ${address}`);
  return `${[
    `${style("bold", "Emulated Cloud KMS and Google token endpoints")} on ${url}`,
    style("yellow", WARNING),
    isKept
      ? "Keys are kept in the state directory, in clear text."
      : "Keys are in memory: what they encrypt cannot be read after the end.",
    "",
    style("dim", "# stock sops (3.13 or later)"),
    `export SOPS_GCP_KMS_ENDPOINT=${url}`,
    "export SOPS_GCP_KMS_CLIENT_TYPE=rest",
    `export GOOGLE_CREDENTIALS=${quote(files.serviceAccount)}`,
    "sops encrypt --gcp-kms projects/p/locations/global/keyRings/r/cryptoKeys/k plain.yaml > secret.yaml",
    ...(tlsUrl === undefined ? [] : grpcLines(tlsUrl).map((line) => style("dim", line))),
    "",
    style("dim", "# sops-keyd: config.yaml"),
    "version: 1",
    "google:",
    "  endpoints:",
    ...endpoints.map((line) => line.slice(2)),
    "tokenSources:",
    `  emulated: { type: service_account, file: ${JSON.stringify(files.serviceAccount)}, grant: oauth }`,
    "rules:",
    "  - { name: emulated, match: projects/*/locations/*/keyRings/*/cryptoKeys/*, tokenSource: emulated }",
    "",
    style("dim", `# credential files in ${files.directory}, and who they speak for`),
    ...credentialLines(emulator),
    `metadata server: GCE_METADATA_HOST=${new URL(url).host}  ${principals.metadata}`,
    "",
    style("dim", "# faults, access lists, request log"),
    `curl ${url}/emulator/requests`,
  ].join("\n")}\n`;
}

/** sops speaks gRPC over TLS alone, to a host and port without a scheme. */
function grpcLines(tlsUrl: string): string[] {
  const { host } = new URL(tlsUrl);
  return [
    `# over TLS: SOPS_GCP_KMS_ENDPOINT=${tlsUrl} SSL_CERT_FILE=…`,
    `# by gRPC: SOPS_GCP_KMS_ENDPOINT=${host} SOPS_GCP_KMS_CLIENT_TYPE=grpc SSL_CERT_FILE=…`,
  ];
}

function credentialLines({ files, principals }: Emulator): string[] {
  const rows: readonly (readonly [string, string])[] = [
    [files.serviceAccount, principals.serviceAccount],
    [files.secondServiceAccount, principals.secondServiceAccount],
    [files.authorizedUser, principals.user],
    [files.impersonatedServiceAccount, principals.impersonated],
    [files.impersonatedByUser, principals.impersonated],
    [files.externalAccount, principals.federated],
    [files.externalAccountImpersonating, principals.impersonated],
    [files.externalAccountAuthorizedUser, principals.workforceUser],
    [files.gdchServiceAccount, principals.serviceIdentity],
    [files.externalAccountUrl, principals.federated],
    [files.externalAccountExecutable, principals.federated],
    [files.externalAccountAws, principals.aws],
    [files.accessToken, principals.serviceAccount],
  ];
  const names = rows.map(([path, principal]) => [path.slice(files.directory.length + 1), principal] as const);
  const width = Math.max(...names.map(([name]) => name.length));
  return names.map(([name, principal]) => `${name.padEnd(width)}  ${principal}`);
}

function quote(path: string): string {
  return /^[\w./-]+$/.test(path) ? path : `'${path.replaceAll("'", `'\\''`)}'`;
}
