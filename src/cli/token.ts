import type { Command } from "commander";

const EXAMPLES = `
Examples:
  sops-keyd token deployer --config config.yaml    who it is for, until when, by which steps
  sops-keyd token --rule prod                      the same for a rule's chain, in its order
  sops-keyd token deployer --json | jq .principal
  curl -H "Authorization: Bearer $(sops-keyd token deployer --print)" …

It asks as the server does, and asks Google: --print shows the token, nothing else does.

Exit code: 0 there is a token, 1 there is none, 2 the command line or the config is wrong.`;

export interface TokenOptions {
  readonly config?: string;
  readonly rule?: string;
  readonly print?: boolean;
  readonly json?: boolean;
  readonly timeout: string;
}

export function addTokenCommand(program: Command): void {
  program
    .command("token")
    .summary("get a token from a source and say whose it is")
    .description("Gets a token from a token source and says who it is for, when it expires and how it came about.")
    .argument("[source]", "name of a token source of the config")
    .option("--rule <name>", "ask the token sources of this rule instead, in its order")
    .option("--config <file>", "the config file")
    .option("--print", "print the token, and nothing but the token")
    .option("--json", "print JSON to standard output (the token only with --print)")
    .option("--timeout <duration>", "how long to wait for it", "15s")
    .addHelpText("after", EXAMPLES)
    .action(async (source: string | undefined, options: TokenOptions) => {
      const { runToken } = await import("./run-token.ts");
      await runToken(source, options);
    });
}
