import { type Command, Option } from "commander";
import type { Operation } from "../config/config.ts";
import { CommandError, EXIT_USAGE } from "./exit.ts";

const EXAMPLES = `
Examples:
  sops-keyd explain projects/p/locations/global/keyRings/r/cryptoKeys/k
  sops-keyd explain --config config.yaml --caller team-a --operation encrypt \\
    projects/p/locations/global/keyRings/r/cryptoKeys/k
  sops-keyd explain --uid 1000 RESOURCE
  sops-keyd explain --json RESOURCE | jq -r .decision

It decides as the server does and asks nobody: no token, no Cloud KMS.
Without --caller, --uid or --gid the request comes from a caller without a name.

Exit code: 0 allowed, 1 refused, 2 the command line or the config is wrong.`;

const MAX_ACCOUNT_ID = 4_294_967_294;

export interface ExplainOptions {
  readonly config?: string;
  readonly caller?: string;
  readonly uid?: number;
  readonly gid?: number;
  readonly operation: Operation;
  readonly json?: boolean;
}

export function addExplainCommand(program: Command): void {
  program
    .command("explain")
    .summary("say what the config decides for a key, and why")
    .description("Says which rule decides for a key, with whose token Cloud KMS would be asked, and why.")
    .argument("<resource>", "projects/PROJECT/locations/LOCATION/keyRings/RING/cryptoKeys/KEY")
    .option("--config <file>", "the config file")
    .option("--caller <name>", "who asks, by a name that a listener or callers has")
    .option("--uid <number>", "who asks, by the user of a process at a unix socket", parseAccountId)
    .option("--gid <number>", "the same by its effective group", parseAccountId)
    .addOption(
      new Option("--operation <operation>", "what is asked for").choices(["encrypt", "decrypt"]).default("decrypt"),
    )
    .option("--json", "print JSON to standard output")
    .addHelpText("after", EXAMPLES)
    .action(async (resource: string, options: ExplainOptions) => {
      const { runExplain } = await import("./run-explain.ts");
      await runExplain(resource, options);
    });
}

function parseAccountId(text: string): number {
  if (/^[0-9]{1,10}$/.test(text) && Number(text) <= MAX_ACCOUNT_ID) return Number(text);
  throw new CommandError(`explain: expected the number of a user or group, such as 1000, in place of ${text}`, {
    exitCode: EXIT_USAGE,
  });
}
