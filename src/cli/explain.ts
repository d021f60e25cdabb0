import { type Command, Option } from "commander";
import { explainRequest } from "../access/explanation.ts";
import type { Operation } from "../config/config.ts";
import { findConfigOrReport } from "./check.ts";
import { EXIT_FAILED } from "./exit.ts";
import { renderExplanation } from "./explain-text.ts";

const EXAMPLES = `
Examples:
  sops-keyd explain projects/p/locations/global/keyRings/r/cryptoKeys/k
  sops-keyd explain --config config.yaml --caller team-a --operation encrypt \\
    projects/p/locations/global/keyRings/r/cryptoKeys/k
  sops-keyd explain --json RESOURCE | jq -r .decision

It decides as the server does and asks nobody: no token, no Cloud KMS.
Without --caller the request comes from a caller without a name.

Exit code: 0 allowed, 1 refused, 2 the command line or the config is wrong.`;

interface ExplainOptions {
  readonly config?: string;
  readonly caller?: string;
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
    .option("--caller <name>", "who asks, by the name that a listener gives its callers")
    .addOption(
      new Option("--operation <operation>", "what is asked for").choices(["encrypt", "decrypt"]).default("decrypt"),
    )
    .option("--json", "print JSON to standard output")
    .addHelpText("after", EXAMPLES)
    .action(async (resource: string, options: ExplainOptions) => {
      const isJson = options.json === true;
      const found = await findConfigOrReport(options.config, isJson);
      if (found === undefined) return;
      const explanation = explainRequest(found.config, resource, options.caller, options.operation);
      const text = isJson ? JSON.stringify(explanation, undefined, 2) : renderExplanation(explanation, process.stdout);
      process.stdout.write(`${text}\n`);
      process.exitCode = explanation.decision === "allowed" ? 0 : EXIT_FAILED;
    });
}
