import { styleText } from "node:util";
import type { Command } from "commander";
import { processEnvironment } from "../config/environment.ts";
import { type FoundConfig, findConfig } from "../config/find-config.ts";
import { ConfigError, type ConfigIssue, renderIssue } from "../config/issue.ts";
import { EXIT_USAGE } from "./exit.ts";

const EXAMPLES = `
Examples:
  sops-keyd check                          the config that serve would take
  sops-keyd check --config config.yaml
  sops-keyd check --json | jq .errors      for programs

Exit code: 0 the config is good (warnings do not count), 2 it is not.`;

interface CheckOptions {
  readonly config?: string;
  readonly json?: boolean;
}

export function addCheckCommand(program: Command): void {
  program
    .command("check")
    .summary("validate the config")
    .description("Validates the config: all that is wrong with it at once, each with its file, line and key.")
    .option("--config <file>", "the config file")
    .option("--json", "print JSON to standard output")
    .addHelpText("after", EXAMPLES)
    .action(async (options: CheckOptions) => {
      const found = await findConfigOrReport(options.config, options.json === true);
      if (found !== undefined) reportGood(found, options.json === true);
    });
}

/** The config; or undefined, with what is wrong reported and the exit code set. */
export async function findConfigOrReport(
  option: string | undefined,
  isJson: boolean,
): Promise<FoundConfig | undefined> {
  try {
    return await findConfig(option, processEnvironment);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    process.exitCode = EXIT_USAGE;
    if (isJson) printJson({ ok: false, errors: error.issues, warnings: [] });
    else process.stderr.write(`${renderErrors(error.issues)}\n`);
    return undefined;
  }
}

function renderErrors(issues: readonly ConfigIssue[]): string {
  const lines = issues.map((issue) => renderIssue(issue));
  if (issues.length > 1) lines.push(styleText("red", `${issues.length} errors`, { stream: process.stderr }));
  return lines.join("\n");
}

function reportGood(found: FoundConfig, isJson: boolean): void {
  const { config, warnings, path, chosenBy } = found;
  const counts = {
    listeners: config.listeners.length,
    tokenSources: config.tokenSources.size,
    rules: config.rules.length,
  };
  if (isJson) {
    printJson({ ok: true, config: path, chosenBy, hash: config.hash, ...counts, errors: [], warnings });
    return;
  }
  printWarnings(warnings);
  const ok = styleText("green", "OK", { stream: process.stdout });
  const summary = `listeners: ${counts.listeners}, token sources: ${counts.tokenSources}, rules: ${counts.rules}`;
  process.stdout.write(`${path} (${chosenBy}): ${ok}\n${summary}\n`);
}

function printWarnings(warnings: readonly ConfigIssue[]): void {
  const label = styleText("yellow", "warning", { stream: process.stderr });
  for (const warning of warnings) process.stderr.write(`${label}: ${renderIssue(warning)}\n`);
}

function printJson(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value, undefined, 2)}\n`);
}
