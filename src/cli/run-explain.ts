import { type Explanation, explainRequest } from "../access/explanation.ts";
import type { Config } from "../config/config.ts";
import { ConfigError } from "../config/issue.ts";
import { findConfigOrReport } from "./check.ts";
import { CommandError, EXIT_FAILED, EXIT_USAGE } from "./exit.ts";
import type { ExplainOptions } from "./explain.ts";
import { renderExplanation } from "./explain-text.ts";

export async function runExplain(resource: string, options: ExplainOptions): Promise<void> {
  const isJson = options.json === true;
  const found = await findConfigOrReport(options.config, isJson);
  if (found === undefined) return;
  const explanation = explain(found.config, resource, options);
  const text = isJson ? JSON.stringify(explanation, undefined, 2) : renderExplanation(explanation, process.stdout);
  process.stdout.write(`${text}\n`);
  process.exitCode = explanation.decision === "allowed" ? 0 : EXIT_FAILED;
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
