import type { Command } from "commander";
import { collect } from "./collect.ts";
import { addConnectOptions, type ConnectOptions, JWT_PLACES } from "./connect-options.ts";

export interface ExecOptions extends ConnectOptions {
  readonly config?: string;
  readonly connect?: readonly string[];
  readonly logLevel: string;
}

export function addExecCommand(program: Command): void {
  const exec = program
    .command("exec")
    .description("run a command with a key service of its own, gone when the command ends")
    .usage("[options] -- COMMAND [ARG...]")
    .argument("<command...>", "what to run")
    .option("--config <file>", "the config; found as by `serve` where it is not given")
    .option("--connect <url>", "use the key service at tls://HOST:PORT instead; several times to fall back", collect);
  addConnectOptions(exec)
    .option("--log-level <level>", "error, warn, info or debug", "warn")
    .passThroughOptions()
    .addHelpText(
      "after",
      `
The options from --ca to --deadline are for --connect: it needs no config and no Google credential here.
${JWT_PLACES}

The command gets SOPS_KEYSERVICE and SOPS_ENABLE_LOCAL_KEYSERVICE=false. Signals go on to it, and its exit code is
the exit code (128 and the number of the signal that ended it).

Examples:
  sops-keyd exec -- sops decrypt secrets.yaml
  sops-keyd exec --config team-a.yaml -- sops edit secrets.yaml
  sops-keyd exec -- make deploy
  sops-keyd exec --connect tls://keys.example.com:5443 --jwt github -- sops decrypt secrets.yaml`,
    )
    .action(async (command: readonly string[], options: ExecOptions) => {
      const { runExec } = await import("./run-exec.ts");
      process.exitCode = await runExec(command, options);
    });
}
