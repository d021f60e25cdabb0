import type { Command } from "commander";

export interface ServeOptions {
  readonly config?: string;
  readonly network?: string;
  readonly address?: string;
  readonly emulator?: boolean;
  readonly logLevel: string;
  readonly json?: boolean;
  readonly sandbox?: boolean;
}

export function addServeCommand(program: Command): void {
  program
    .command("serve")
    .description("run the key service")
    .option(
      "--config <file>",
      "the config; default: $SOPS_KEYD_CONFIG, then the user's, then /etc/sops-keyd/config.yaml",
    )
    .option("--network <tcp|unix>", "listen here instead of on the config's listeners")
    .option("--address <address>", "with --network: host:port, or the path of the socket")
    .option("--emulator", "ask a Cloud KMS emulator in this process instead of Google; never for real secrets")
    .option("--log-level <level>", "error, warn, info or debug", "info")
    .option("--sandbox", "hold the process to the files of its config by Node's permission model (docs/hardening.md)")
    .option("--json", "say in one JSON line on stdout where it listens, once it does")
    .addHelpText(
      "after",
      `
Without a config it stands in for \`sops keyservice\`: every Google Cloud KMS key, with the credentials that sops
itself would use, on a socket that only you can open.

SIGHUP reads the config again (a bad one changes nothing), SIGTERM and SIGINT let the calls in flight end.
Exit codes: 0 ended as asked, 1 failed, 2 usage, config or an address that is taken.

Examples:
  sops-keyd serve
  sops-keyd serve --config /etc/sops-keyd/config.yaml
  sops-keyd serve --network tcp --address 127.0.0.1:5000
  sops-keyd serve --emulator`,
    )
    .action(async (options: ServeOptions) => {
      const { runServe } = await import("./run-serve.ts");
      await runServe(options);
    });
}
