import type { Command } from "commander";

export interface ExecOptions {
  readonly config?: string;
  readonly logLevel: string;
}

export function addExecCommand(program: Command): void {
  program
    .command("exec")
    .description("run a command with a key service of its own, gone when the command ends")
    .usage("[options] -- COMMAND [ARG...]")
    .argument("<command...>", "what to run")
    .option("--config <file>", "the config; found as by `serve` where it is not given")
    .option("--log-level <level>", "error, warn, info or debug", "warn")
    .passThroughOptions()
    .addHelpText(
      "after",
      `
The command gets SOPS_KEYSERVICE and SOPS_ENABLE_LOCAL_KEYSERVICE=false. Signals go on to it, and its exit code is
the exit code (128 and the number of the signal that ended it).

Examples:
  sops-keyd exec -- sops decrypt secrets.yaml
  sops-keyd exec --config team-a.yaml -- sops edit secrets.yaml
  sops-keyd exec -- make deploy`,
    )
    .action(async (command: readonly string[], options: ExecOptions) => {
      const { runExec } = await import("./run-exec.ts");
      process.exitCode = await runExec(command, options);
    });
}
