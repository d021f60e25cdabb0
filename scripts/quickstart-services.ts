import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { bareEnvironment, type Daemon, startDaemon } from "./quickstart-child.ts";

const ROOT = join(import.meta.dirname, "..");
const ASK_TIMEOUT_MS = 5_000;

export const SOPS_KEYD: string = join(ROOT, "scripts", "sops-keyd");
export const GET_SOPS: string = join(ROOT, "scripts", "get-sops");

/** One tenant of the demonstration: its key, and the identity that alone may use it. */
export interface Team {
  readonly name: string;
  readonly key: string;
  readonly credential: string;
  readonly principal: string;
}

export interface EmulatorReady {
  readonly url: string;
  readonly endpoints: Readonly<Record<string, string>>;
  readonly files: { readonly serviceAccount: string; readonly secondServiceAccount: string };
  readonly principals: { readonly serviceAccount: string; readonly secondServiceAccount: string };
}

export function keyOf(project: string): string {
  return `projects/${project}/locations/global/keyRings/quickstart/cryptoKeys/files`;
}

/** The emulator as a user starts it, with its temporary files in `directory`. */
export async function startEmulator(
  directory: string,
  signal: AbortSignal,
): Promise<{ readonly daemon: Daemon; readonly emulator: EmulatorReady }> {
  const args = ["emulator", "--listen", "127.0.0.1:0", "--credentials", join(directory, "credentials"), "--json"];
  const env = bareEnvironment(directory);
  const daemon = await startDaemon({ name: "emulator", command: SOPS_KEYD, args, env, onLine() {} }, signal);
  return { daemon, emulator: daemon.ready as EmulatorReady };
}

export function teamsOf({ files, principals }: EmulatorReady): readonly [Team, Team] {
  return [
    {
      name: "team-a",
      key: keyOf("team-a"),
      credential: files.serviceAccount,
      principal: principals.serviceAccount,
    },
    {
      name: "team-b",
      key: keyOf("team-b"),
      credential: files.secondServiceAccount,
      principal: principals.secondServiceAccount,
    },
  ];
}

/** What IAM would say at Google: each key may be used by its own team's identity, and by nobody else. */
export async function admitOwnersOnly(url: string, teams: readonly Team[], signal: AbortSignal): Promise<void> {
  for (const { key, principal } of teams) {
    const allow = [{ principals: [principal], operations: ["encrypt", "decrypt"] }];
    await askEmulator(`${url}/emulator/access/${key}`, { method: "PUT", body: JSON.stringify({ allow }) }, signal);
  }
}

/** The identity that Cloud KMS saw last for a key: told by the emulator, not by the server under demonstration. */
export async function principalSeen(url: string, key: string, signal: AbortSignal): Promise<string | undefined> {
  const report = (await askEmulator(`${url}/emulator/requests`, {}, signal)) as {
    readonly requests: readonly { readonly resource?: string; readonly principal?: string; readonly status: number }[];
  };
  return report.requests.findLast(({ resource, status }) => resource?.startsWith(key) === true && status === 200)
    ?.principal;
}

async function askEmulator(url: string, init: RequestInit, signal: AbortSignal): Promise<unknown> {
  const bounded = AbortSignal.any([signal, AbortSignal.timeout(ASK_TIMEOUT_MS)]);
  const response = await fetch(url, {
    ...init,
    headers: { "content-type": "application/json", connection: "close" },
    signal: bounded,
  });
  const body: unknown = await response.json();
  if (!response.ok) throw new Error(`the emulator answered ${response.status} to ${new URL(url).pathname}`);
  return body;
}

export interface ServerOptions {
  readonly directory: string;
  readonly socket: string;
  readonly emulator: EmulatorReady;
  readonly teams: readonly Team[];
  readonly onLine: (line: string) => void;
}

export function configPath(directory: string): string {
  return join(directory, "config.yaml");
}

/** Writes the config of two rules and starts the server with it. */
export async function startServer(options: ServerOptions, signal: AbortSignal): Promise<Daemon> {
  const { directory, onLine } = options;
  await writeFile(configPath(directory), renderConfig(options), { mode: 0o600 });
  const args = ["serve", "--config", configPath(directory), "--json"];
  const env = bareEnvironment(directory);
  return startDaemon({ name: "server", command: SOPS_KEYD, args, env, onLine }, signal);
}

// JSON strings are YAML strings, so any path comes through.
function renderConfig({ socket, emulator, teams }: ServerOptions): string {
  const endpoints = Object.entries(emulator.endpoints).map(([name, url]) => `    ${name}: ${url}`);
  const sources = teams.map(
    ({ name, credential }) => `  ${name}: { type: service_account, file: ${JSON.stringify(credential)}, grant: oauth }`,
  );
  const rules = teams.map(
    ({ name }) =>
      `  - { name: ${name}, match: projects/${name}/locations/*/keyRings/*/cryptoKeys/*, tokenSource: ${name} }`,
  );
  return `${[
    "version: 1",
    `listeners:\n  - address: ${JSON.stringify(`unix://${socket}`)}`,
    "google:\n  endpoints:",
    ...endpoints,
    "tokenSources:",
    ...sources,
    "rules:   # the first match decides; what no rule matches is refused",
    ...rules,
  ].join("\n")}\n`;
}

/** A file of each team and one of a team that has no rule, with the .sops.yaml that names their keys. */
export async function writeSampleFiles(directory: string, projects: readonly string[]): Promise<void> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const rules = projects.map((project) => `  - { path_regex: ${project}, gcp_kms: ${keyOf(project)} }`);
  await writeFile(join(directory, ".sops.yaml"), `creation_rules:\n${rules.join("\n")}\n`);
  for (const project of projects) await writeFile(join(directory, `${project}.yaml`), sampleOf(project));
}

export function sampleOf(project: string): string {
  return `database: ${project}-db.internal\npassword: hunter2-of-${project}\n`;
}
