import { type Command, InvalidArgumentError, Option } from "commander";
import { type Emulator, startEmulator } from "../emulator/emulator.ts";
import { isLoopbackAddress } from "../emulator/loopback.ts";
import { EmulatorStartError } from "../emulator/start-error.ts";
import { renderJson, renderText, WARNING } from "./emulator-output.ts";

const USAGE_EXIT_CODE = 2;
const DEFAULT_ADDRESS = "127.0.0.1:8181";

interface Address {
  readonly host: string;
  readonly port: number;
}

interface EmulatorFlags {
  readonly listen: Address;
  readonly strict?: boolean;
  readonly state?: string;
  readonly credentials?: string;
  readonly tokenLifetime?: number;
  readonly json?: boolean;
}

const EXAMPLES = `
Examples:
  sops-keyd emulator                                    on ${DEFAULT_ADDRESS}, keys in memory
  sops-keyd emulator --listen :0 --json                 on any free port, one JSON line when it is ready
  sops-keyd emulator --state .emulator/keys --credentials .emulator/credentials
                                                        keys that survive a restart, files in a known place
  sops-keyd emulator --strict --token-lifetime 30s      keys must be created first; tokens expire soon

Never for real secrets: whoever can read the credential files can use every key.
docs/emulator.md has the recipes: faults, access lists, request log.`;

export function addEmulatorCommand(program: Command): void {
  program
    .command("emulator")
    .summary("run Cloud KMS and Google's token endpoints on a loopback port, for tests")
    .description(
      "Emulates Cloud KMS (REST) and Google's token endpoints (OAuth, STS, IAM credentials, metadata server) on one " +
        "loopback port, with real encryption and tokens that are really checked. For tests, never for real secrets.",
    )
    .addOption(
      new Option("--listen <host:port>", "loopback address; :0 is any free port")
        .argParser(parseAddress)
        .default(parseAddress(DEFAULT_ADDRESS), DEFAULT_ADDRESS),
    )
    .option("--strict", "make no keys, rings or accounts on first use")
    .option("--state <dir>", "keep the keys in this directory (default: in memory)")
    .option("--credentials <dir>", "write the credential files here (default: a temporary directory)")
    .option("--token-lifetime <duration>", "such as 30s, 10m, 1h (default: 1h)", parseLifetimeMs)
    .option("--json", "one JSON line on standard output when it is ready")
    .addHelpText("after", EXAMPLES)
    .action((flags: EmulatorFlags, command: Command) => run(flags, command));
}

async function run(flags: EmulatorFlags, command: Command): Promise<void> {
  // From the first moment on, so that a signal during the start still removes the files.
  const stopped = untilStopped();
  const emulator = await start(flags, command);
  if (flags.json === true) {
    process.stderr.write(`${WARNING}\n`);
    process.stdout.write(`${renderJson(emulator)}\n`);
  } else process.stdout.write(renderText(emulator, { isKept: flags.state !== undefined, hasColors: hasColors() }));
  await stopped;
  await emulator.close();
}

async function start(flags: EmulatorFlags, command: Command): Promise<Emulator> {
  try {
    return await startEmulator({
      ...flags.listen,
      strict: flags.strict === true,
      ...(flags.state !== undefined && { stateDirectory: flags.state }),
      ...(flags.credentials !== undefined && { credentialsDirectory: flags.credentials }),
      ...(flags.tokenLifetime !== undefined && { tokenLifetimeMs: flags.tokenLifetime }),
    });
  } catch (error) {
    if (!(error instanceof EmulatorStartError)) throw error;
    return command.error(`sops-keyd emulator: ${error.message}`, { exitCode: 1, code: "sops-keyd.emulatorStart" });
  }
}

/** Resolves at the first SIGINT or SIGTERM; a second one then ends the process the usual way. */
function untilStopped(): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const stop = () => {
    process.off("SIGINT", stop);
    process.off("SIGTERM", stop);
    resolve();
  };
  process.on("SIGINT", stop);
  process.on("SIGTERM", stop);
  return promise;
}

// Node reads NO_COLOR itself: https://no-color.org
function hasColors(): boolean {
  return process.stdout.isTTY && process.stdout.hasColors();
}

function parseAddress(text: string): Address {
  const match = /^(?:\[(?<v6>[0-9a-fA-F:]+)\]|(?<host>[^:]*)):(?<port>\d{1,5})$/.exec(text);
  const port = Number(match?.groups?.["port"]);
  if (match === null || port > 65_535) throw invalid("write it as HOST:PORT, such as 127.0.0.1:8181 or :0");
  const host = match.groups?.["v6"] ?? match.groups?.["host"] ?? "";
  const address = { host: host === "" ? "127.0.0.1" : host, port };
  if (!isLoopbackAddress(address.host))
    throw invalid("the emulator listens on loopback only: 127.0.0.1, [::1], localhost");
  return address;
}

const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

function parseLifetimeMs(text: string): number {
  const match = /^(?<amount>\d{1,9})(?<unit>ms|s|m|h)$/.exec(text);
  const lifetimeMs = Number(match?.groups?.["amount"]) * (UNIT_MS[match?.groups?.["unit"] ?? ""] ?? Number.NaN);
  // Google's answers give lifetimes in whole seconds.
  if (lifetimeMs >= 1000) return lifetimeMs;
  throw invalid("write it as 30s, 10m or 1h, at least 1s");
}

function invalid(message: string): InvalidArgumentError {
  const error = new InvalidArgumentError(message);
  error.exitCode = USAGE_EXIT_CODE;
  return error;
}
