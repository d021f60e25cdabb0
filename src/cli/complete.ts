import type { Command } from "commander";

const EXAMPLES = `
Examples:
  source <(sops-keyd complete bash)
  sops-keyd complete zsh > ~/.zsh/completions/_sops-keyd
  sops-keyd complete fish > ~/.config/fish/completions/sops-keyd.fish`;

/**
 * `complete SHELL` prints a script for the shell; the script calls `complete -- WORDS` at each TAB.
 *
 * The library reads the finished program, so this comes last; it is loaded only where it is asked for.
 */
export async function addCompleteCommand(program: Command, firstArgument: string | undefined): Promise<void> {
  if (firstArgument === "complete") {
    const { default: addCompletion } = await import("@bomb.sh/tab/commander");
    addCompletion(program);
  } else {
    program.command("complete").description("print a completion script for your shell").argument("<shell>");
  }
  program.commands.find((command) => command.name() === "complete")?.addHelpText("after", EXAMPLES);
}
