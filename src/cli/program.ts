import { Command } from "commander";
import { addAuditCommand } from "./audit.ts";
import { addCheckCommand } from "./check.ts";
import { addCompleteCommand } from "./complete.ts";
import { addConnectCommand } from "./connect.ts";
import { addEmulatorCommand } from "./emulator.ts";
import { addExecCommand } from "./exec.ts";
import { EXIT_USAGE } from "./exit.ts";
import { addExplainCommand } from "./explain.ts";
import { addHealthCommand } from "./health.ts";
import { addServeCommand } from "./serve.ts";
import { addTokenCommand } from "./token.ts";
import { readVersion } from "./version.ts";

const COMMANDS = [
  addServeCommand,
  addExecCommand,
  addConnectCommand,
  addCheckCommand,
  addExplainCommand,
  addTokenCommand,
  addEmulatorCommand,
  addHealthCommand,
  addAuditCommand,
] as const;

/** The command line. Each command loads what it needs when it runs, so that `--help` costs nothing. */
export async function createProgram(firstArgument: string | undefined): Promise<Command> {
  const program = new Command("sops-keyd")
    .description("A SOPS key service for Google Cloud KMS: each key with an identity of its own")
    .version(readVersion(), "-V, --version")
    .enablePositionalOptions()
    .showHelpAfterError("(add --help for the options and examples)")
    .exitOverride((error) => {
      // commander's own code for a wrong usage is 1, which here means that an operation failed.
      process.exitCode = error.exitCode === 0 ? 0 : EXIT_USAGE;
      throw error;
    })
    .addHelpText(
      "after",
      `
Examples:
  sops-keyd serve                                  stand in for \`sops keyservice\`, with your own Google credentials
  sops-keyd exec -- sops decrypt secrets.yaml      run one command with a key service of its own
  sops-keyd connect --to tls://host:5443 …          a socket here, a key service elsewhere
  sops-keyd check --config config.yaml             is this config right?
  sops-keyd emulator                               Cloud KMS and Google's token endpoints, for tests

Then, in another shell:
  export SOPS_KEYSERVICE=unix:///path/that/serve/printed SOPS_ENABLE_LOCAL_KEYSERVICE=false`,
    );
  for (const add of COMMANDS) add(program);
  await addCompleteCommand(program, firstArgument);
  return program;
}
