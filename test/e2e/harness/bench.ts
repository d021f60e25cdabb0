import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { type Emulator, type EmulatorOptions, startEmulator } from "../../../src/emulator/emulator.ts";
import { type Child, type Outcome, startChild } from "./child.ts";
import { type ConfigDocument, configFor } from "./config.ts";
import { ROOT, skipWithoutDirectSops, skipWithoutSops, sopsPath } from "./sops-binary.ts";

type Variables = Readonly<Record<string, string>>;

/** A server that listens. */
export interface Keyd {
  readonly child: Child;
  readonly addresses: readonly string[];
  /** What sops is to be given as its key service: the first address. */
  readonly address: string;
}

/** A place to work in: a directory, an emulator, and whatever a test starts. All is gone when it is disposed of. */
export interface Bench extends AsyncDisposable {
  readonly directory: string;
  readonly emulator: Emulator;
  /** Without Google credentials, and with a home of its own. */
  readonly environment: Variables;
  path(name: string): string;
  /** @returns its path */
  write(name: string, content: string | Buffer, mode?: number): string;
  read(name: string): Buffer;
  /** @returns the path of the config file */
  writeConfig(changes?: Partial<ConfigDocument>, name?: string): string;
  /** Another emulator besides the first. */
  startEmulator(options?: EmulatorOptions): Promise<Emulator>;
  /** Starts any command; it is ended with the bench at the latest. */
  start(file: string, args: readonly string[], variables?: Variables): Child;
  /** Runs `sops-keyd`. */
  keyd(args: readonly string[], variables?: Variables): Promise<Outcome>;
  /** Starts `sops-keyd`. */
  startKeyd(args: readonly string[], variables?: Variables): Child;
  /** `sops-keyd serve`, once it listens. The config is the usual one unless `config` names a file. */
  serve(config?: string, args?: readonly string[], variables?: Variables): Promise<Keyd>;
  /** Runs the real sops in the directory. @param keyService undefined: sops' own, local one */
  sops(keyService: KeyServiceAddress | undefined, args: readonly string[], variables?: Variables): Promise<Outcome>;
  /** Starts it, where something is to happen before it ends. */
  startSops(keyService: KeyServiceAddress | undefined, args: readonly string[], variables?: Variables): Child;
}

export type KeyServiceAddress = Pick<Keyd, "address">;

export async function openBench(): Promise<Bench> {
  const opened = new AsyncDisposableStack();
  const directory = realpathSync(mkdtempSync(join(tmpdir(), "keyd-e2e-")));
  opened.defer(() => rmSync(directory, { recursive: true, force: true }));
  const emulator = await startEmulator();
  opened.defer(() => emulator.close());
  const home = join(directory, "home");
  const temporary = join(directory, "tmp");
  for (const each of [home, temporary]) mkdirSync(each, { mode: 0o700 });
  const environment = {
    PATH: process.env["PATH"] ?? "",
    HOME: home,
    TMPDIR: temporary,
    METADATA_SERVER_DETECTION: "none",
  };
  const path = (name: string) => join(directory, name);
  const main = [join(ROOT, "src", "main.ts")];

  function write(name: string, content: string | Buffer, mode = 0o600): string {
    writeFileSync(path(name), content, { mode });
    return path(name);
  }

  function writeConfig(changes: Partial<ConfigDocument> = {}, name = "config.yaml"): string {
    const listeners = [{ address: `unix://${path("keyd.sock")}` }];
    return write(name, JSON.stringify(configFor(emulator, { listeners, ...changes }), undefined, 2));
  }

  function start(file: string, args: readonly string[], variables: Variables = {}): Child {
    return opened.use(startChild(file, args, { cwd: directory, env: { ...environment, ...variables } }));
  }

  const startKeyd: Bench["startKeyd"] = (args, variables) => start(process.execPath, [...main, ...args], variables);

  const startSops: Bench["startSops"] = (keyService, args, variables = {}) => {
    const service = keyService === undefined ? {} : keyServiceVariables(keyService.address);
    return start(sopsPath(), args, { ...service, ...variables });
  };

  return {
    directory,
    emulator,
    environment,
    path,
    write,
    read: (name) => readFileSync(path(name)),
    writeConfig,
    async startEmulator(more) {
      const another = await startEmulator(more);
      opened.defer(() => another.close());
      return another;
    },
    start,
    startKeyd,
    async keyd(args, variables) {
      const child = startKeyd(args, variables);
      child.type("");
      return await child.ended();
    },
    async serve(config = writeConfig(), args = [], variables = {}) {
      const child = startKeyd(["serve", "--config", config, "--json", ...args], variables);
      return { child, ...(await readReadiness(child)) };
    },
    startSops,
    async sops(keyService, args, variables) {
      const child = startSops(keyService, args, variables);
      child.type("");
      return await child.ended();
    },
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}

/** What makes sops ask a key service, and nothing but it. */
export function keyServiceVariables(address: string): Variables {
  return { SOPS_KEYSERVICE: address, SOPS_ENABLE_LOCAL_KEYSERVICE: "false" };
}

/** How sops 3.13 or later is pointed at an emulator where it asks Cloud KMS itself. */
export function googleVariables({ url, files }: Emulator): Variables {
  return {
    SOPS_GCP_KMS_ENDPOINT: url,
    SOPS_GCP_KMS_CLIENT_TYPE: "rest",
    GOOGLE_CREDENTIALS: files.serviceAccount,
  };
}

/** The line that `--json` writes once the server listens. */
export async function readReadiness(child: Child): Promise<Pick<Keyd, "addresses" | "address">> {
  const [line] = await child.waitFor("stdout", /^\{.*\}$/m);
  const { addresses } = JSON.parse(line) as { addresses: readonly string[] };
  const [address = ""] = addresses;
  return { addresses, address };
}

/** Has a server read its config again; resolves once it has. */
export async function reload({ child }: Keyd): Promise<void> {
  const from = child.stderr().length;
  child.signal("SIGHUP");
  await child.waitFor("stderr", /config read again/, from);
}

const TEST_TIMEOUT_MS = 120_000;

/** A test with a bench of its own. */
export function testOnBench(name: string, body: (bench: Bench) => Promise<void>): void {
  test(name, { timeout: TEST_TIMEOUT_MS }, () => onBench(body));
}

/** The same, with the real sops: skipped with the reason where there is none, and failed where CI is set. */
export function testWithSops(name: string, body: (bench: Bench) => Promise<void>): void {
  testUnless(skipWithoutSops, name, body);
}

/** The same, with a sops that can ask the emulator itself. */
export function testWithDirectSops(name: string, body: (bench: Bench) => Promise<void>): void {
  testUnless(skipWithoutDirectSops, name, body);
}

function testUnless(skip: string | false, name: string, body: (bench: Bench) => Promise<void>): void {
  test(name, { timeout: TEST_TIMEOUT_MS, skip }, () => {
    sopsPath();
    return onBench(body);
  });
}

async function onBench(body: (bench: Bench) => Promise<void>): Promise<void> {
  await using bench = await openBench();
  await body(bench);
}
