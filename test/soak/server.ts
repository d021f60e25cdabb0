import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { type Emulator, startEmulator } from "../../src/emulator/emulator.ts";
import { within } from "../e2e/harness/bounded.ts";
import type { Reading } from "./probe.ts";

/** Rules whose keys' way to Cloud KMS has faults, by either transport, and one whose way never has. */
export const TROUBLED = ["shop", "mail"] as const;
export const WELL = "bank";
export const DEADLINE_MS = 4_000;
/** Short, so that many a token ends in a run of minutes. */
const TOKEN_LIFETIME_MS = 60_000;
const PATIENCE_MS = 60_000;
const LAST_WORDS = 2_000;

export function keyOf(project: string): string {
  return `projects/${project}/locations/global/keyRings/sops/cryptoKeys/prod`;
}

/** A server that is soaked, and the emulator that it asks. Disposing of it ends both. */
export interface SoakedServer extends AsyncDisposable {
  readonly address: string;
  readonly emulator: Emulator;
  read(): Promise<Reading & { readonly descriptors: number }>;
  /** Writes the other of two configs, and has the server take it. */
  reload(): void;
  readonly hasEnded: boolean;
  lastWords(): string;
  /** @returns its exit code after SIGTERM */
  stop(): Promise<number | undefined>;
}

export async function startSoakedServer(): Promise<SoakedServer> {
  const directory = mkdtempSync(join(tmpdir(), "keyd-soak-"));
  const emulator = await startEmulator({ tokenLifetimeMs: TOKEN_LIFETIME_MS });
  const configFile = join(directory, "config.yaml");
  let reloads = 0;
  const writeConfig = () =>
    writeFileSync(configFile, JSON.stringify(configFor(emulator, directory, reloads % 2 === 1)));
  writeConfig();
  const child = startChild(configFile);
  let words = "";
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    words = (words + text).slice(-LAST_WORDS);
  });
  const [line] = (await within(PATIENCE_MS, "the server to listen", once(linesOf(child), "line"))) as [string];
  const { addresses } = JSON.parse(line) as { addresses: readonly string[] };

  async function stop(): Promise<number | undefined> {
    if (child.exitCode !== null) return child.exitCode;
    const exited = once(child, "exit");
    child.kill("SIGTERM");
    const [code] = (await within(PATIENCE_MS, "the server to end", exited)) as [number | null];
    return code ?? undefined;
  }

  return {
    address: addresses[0] ?? "",
    emulator,
    async read() {
      const answer = once(child, "message");
      child.send("read");
      const [reading] = (await within(PATIENCE_MS, "the server to tell what it holds", answer)) as [Reading];
      return { ...reading, descriptors: readdirSync(`/proc/${child.pid}/fd`).length };
    },
    reload() {
      reloads += 1;
      writeConfig();
      child.kill("SIGHUP");
    },
    get hasEnded() {
      return child.exitCode !== null || child.signalCode !== null;
    },
    lastWords: () => words,
    stop,
    async [Symbol.asyncDispose]() {
      await stop().catch(() => child.kill("SIGKILL"));
      await emulator.close();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

function startChild(configFile: string): ChildProcess {
  const probe = join(import.meta.dirname, "probe.ts");
  const main = join(import.meta.dirname, "../../src/main.ts");
  const args = ["--import", probe, main, "serve", "--config", configFile, "--json", "--log-level", "warn"];
  const { PATH = "", HOME = "" } = process.env;
  const env = { PATH, HOME, METADATA_SERVER_DETECTION: "none" };
  const child = spawn(process.execPath, args, { env, stdio: ["ignore", "pipe", "pipe", "ipc"] });
  process.once("exit", () => child.kill("SIGKILL"));
  return child;
}

function linesOf({ stdout }: ChildProcess) {
  if (stdout === null) throw new Error("the server has no stdout");
  return createInterface({ input: stdout });
}

/** @param other the second of the two configs that reloads take in turn: with a cache, and with shorter attempts */
function configFor({ url, files }: Emulator, directory: string, other: boolean): object {
  const kms = { deadline: `${DEADLINE_MS}ms`, attemptTimeout: other ? "800ms" : "1s" };
  const rule = (name: string, transport: string) => ({
    name,
    match: keyOf(name).replace(/(locations|keyRings|cryptoKeys)\/\w+/g, "$1/*"),
    tokenSource: "soak",
    kms: { ...kms, transport },
    ...(other ? { cache: { ttl: "5s", maxEntries: 20 } } : {}),
  });
  return {
    version: 1,
    listeners: [{ address: `unix://${join(directory, "keyd.sock")}`, caller: "soak" }],
    tokenSources: { soak: { type: "service_account", file: files.serviceAccount, grant: "oauth" } },
    rules: [rule("shop", "rest"), rule("mail", "grpc"), rule(WELL, "rest")],
    google: { endpoints: { kms: url, oauth2: url } },
    audit: { file: join(directory, "audit.jsonl"), required: true, rotate: { size: "1MiB", keep: 3 } },
  };
}
