import { type Command, Option } from "commander";
import { type Explanation, explainRequest } from "../access/explanation.ts";
import type { Config, Operation } from "../config/config.ts";
import { ConfigError } from "../config/issue.ts";
import { findConfigOrReport } from "./check.ts";
import { CommandError, EXIT_FAILED, EXIT_USAGE } from "./exit.ts";
import { renderExplanation } from "./explain-text.ts";

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

interface ExplainOptions {
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
      const isJson = options.json === true;
      const found = await findConfigOrReport(options.config, isJson);
      if (found === undefined) return;
      const explanation = explain(found.config, resource, options);
      const text = isJson ? JSON.stringify(explanation, undefined, 2) : renderExplanation(explanation, process.stdout);
      process.stdout.write(`${text}\n`);
      process.exitCode = explanation.decision === "allowed" ? 0 : EXIT_FAILED;
    });
}

function explain(config: Config, resource: string, { caller, uid, gid, operation }: ExplainOptions): Explanation {
  const isProcess = uid !== undefined || gid !== undefined;
  if (isProcess && caller !== undefined) {
    throw new CommandError("explain: --caller names who asks, or --uid and --gid do; not both", {
      exitCode: EXIT_USAGE,
    });
  }
  try {
    return explainRequest(config, resource, isProcess ? { uid, gid } : caller, operation);
  } catch (thrown) {
    // A caller of the config is an account that this machine does not have: serve would not start either.
    if (thrown instanceof ConfigError) throw new CommandError(thrown.message, { exitCode: EXIT_USAGE, cause: thrown });
    throw thrown;
  }
}

function parseAccountId(text: string): number {
  if (/^[0-9]{1,10}$/.test(text) && Number(text) <= MAX_ACCOUNT_ID) return Number(text);
  throw new CommandError(`explain: expected the number of a user or group, such as 1000, in place of ${text}`, {
    exitCode: EXIT_USAGE,
  });
}
