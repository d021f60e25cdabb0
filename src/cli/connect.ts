import type { Command } from "commander";
import { collect } from "./collect.ts";
import { addConnectOptions, type ConnectOptions, JWT_PLACES } from "./connect-options.ts";

export interface ConnectCommandOptions extends ConnectOptions {
  readonly to: readonly string[];
  readonly listen?: string;
  readonly logLevel: string;
  readonly json?: boolean;
}

export function addConnectCommand(program: Command): void {
  const command = program
    .command("connect")
    .description("a private socket here, TLS to a key service elsewhere: for a stock sops")
    .requiredOption("--to <url>", "tls://HOST:PORT; several times for servers to fall back to", collect)
    .option("--listen <address>", "unix:///path or tcp://127.0.0.1:PORT; default: a socket that only you can open");
  addConnectOptions(command)
    .option("--log-level <level>", "error, warn, info or debug", "info")
    .option("--json", "say in one JSON line on stdout where it listens, once it does")
    .addHelpText(
      "after",
      `
sops itself can show neither a certificate nor a token, and never gives up waiting. This can and does. It has no
secrets of its own, asks no Cloud KMS, and passes on what the server says word for word.
${JWT_PLACES}

Examples:
  sops-keyd connect --to tls://keys.example.com:5443 --certificate me.crt --private-key me.key
  sops-keyd connect --to tls://a.example.com:5443 --to tls://b.example.com:5443 --jwt kubernetes
  sops-keyd exec --connect tls://keys.example.com:5443 --jwt github -- sops decrypt secrets.yaml`,
    )
    .action(async (options: ConnectCommandOptions) => {
      const { runConnect } = await import("./run-connect.ts");
      await runConnect(options);
    });
}
