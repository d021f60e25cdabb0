import { type Command, InvalidArgumentError, Option } from "commander";
import { isLoopbackHost, parseListenAddress } from "../config/address.ts";
import { parseDuration } from "../config/duration.ts";
import { CommandError, EXIT_USAGE } from "./exit.ts";

const DEFAULT_ADDRESS = "127.0.0.1:8181";

export interface LoopbackAddress {
  readonly host: string;
  readonly port: number;
}

export interface EmulatorFlags {
  readonly listen: LoopbackAddress;
  readonly strict?: boolean;
  readonly state?: string;
  readonly credentials?: string;
  /** Milliseconds. */
  readonly tokenLifetime?: number;
  readonly tlsCertificate?: string;
  readonly tlsKey?: string;
  readonly json?: boolean;
}

const EXAMPLES = `
Examples:
  sops-keyd emulator                                    on ${DEFAULT_ADDRESS}, keys in memory
  sops-keyd emulator --listen :0 --json                 on any free port, one JSON line when it is ready
  sops-keyd emulator --state .emulator/keys --credentials .emulator/credentials
                                                        keys that survive a restart, files in a known place
  sops-keyd emulator --strict --token-lifetime 30s      keys must be created first; tokens expire soon
  sops-keyd emulator --tls-certificate crt.pem --tls-key key.pem
                                                        the same port takes TLS as well

Never for real secrets: whoever can read the credential files can use every key.
docs/emulator.md has the recipes: faults, access lists, request log.`;

export function addEmulatorCommand(program: Command): void {
  program
    .command("emulator")
    .summary("run Cloud KMS and Google's token endpoints on a loopback port, for tests")
    .description(
      "Emulates Cloud KMS (REST and gRPC) and Google's token endpoints (OAuth, STS, IAM credentials, metadata server) on one " +
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
    .option("--tls-certificate <file>", "take TLS as well, with this certificate chain in PEM")
    .option("--tls-key <file>", "its private key in PEM")
    .option("--json", "one JSON line on standard output when it is ready")
    .addHelpText("after", EXAMPLES)
    .action(async (flags: EmulatorFlags) => {
      if ((flags.tlsCertificate === undefined) !== (flags.tlsKey === undefined)) {
        throw new CommandError("emulator: --tls-certificate and --tls-key go together: give both, or neither", {
          exitCode: EXIT_USAGE,
        });
      }
      const { runEmulator } = await import("./run-emulator.ts");
      await runEmulator(flags);
    });
}

function parseAddress(text: string): LoopbackAddress {
  const address = parseListenAddress(`tcp://${text.startsWith(":") ? `127.0.0.1${text}` : text}`);
  if (typeof address === "string" || address.kind !== "tcp") {
    throw new InvalidArgumentError("write it as HOST:PORT, such as 127.0.0.1:8181 or :0");
  }
  if (isLoopbackHost(address.host)) return address;
  throw new InvalidArgumentError("the emulator listens on loopback only: 127.0.0.1, [::1], localhost");
}

/** Google's answers give lifetimes in whole seconds. */
const SHORTEST_LIFETIME_MS = 1_000;

function parseLifetimeMs(text: string): number {
  const lifetimeMs = parseDuration(text) ?? 0;
  if (lifetimeMs >= SHORTEST_LIFETIME_MS) return lifetimeMs;
  throw new InvalidArgumentError("write it as 30s, 10m or 1h, at least 1s");
}
