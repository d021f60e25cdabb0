import { styleText } from "node:util";
import type { Command } from "commander";
import { processEnvironment } from "../config/environment.ts";
import { type FoundConfig, findConfig } from "../config/find-config.ts";
import { ConfigError, type ConfigIssue, renderIssue } from "../config/issue.ts";
import type { MissingHere } from "./check-here.ts";
import type { LiveReport } from "./check-live.ts";
import { CommandError, EXIT_FAILED, EXIT_USAGE } from "./exit.ts";

const EXAMPLES = `
Examples:
  sops-keyd check                          the config that serve would take
  sops-keyd check --config config.yaml
  sops-keyd check --json | jq .errors      for programs
  sops-keyd check --here                   and see that this machine has what it names, as the user who asks
  sops-keyd check --live                   and get a token from each source
  sops-keyd check --live --caller team-a --key projects/p/locations/global/keyRings/r/cryptoKeys/k
                                           and encrypt and decrypt random bytes

Exit code: 0 the config is good (warnings do not count), 2 it is not. With --here, 1 where something is
missing; with --live, 1 where a token source or the round trip fails.`;

interface CheckOptions {
  readonly config?: string;
  readonly json?: boolean;
  readonly here?: boolean;
  readonly live?: boolean;
  readonly key?: string;
  readonly caller?: string;
  readonly timeout: string;
}

export function addCheckCommand(program: Command): void {
  program
    .command("check")
    .summary("validate the config")
    .description("Validates the config: all that is wrong with it at once, each with its file, line and key.")
    .option("--config <file>", "the config file")
    .option("--json", "print JSON to standard output")
    .option("--here", "see that the files, accounts and programs that it names are on this machine")
    .option("--live", "get a token from each token source: asks Google")
    .option("--key <resource>", "with --live: encrypt and decrypt random bytes with this key")
    .option("--caller <name>", "who asks for --key, by the name that a listener gives its callers")
    .option("--timeout <duration>", "with --live: how long to wait for each answer", "15s")
    .addHelpText("after", EXAMPLES)
    .action(check);
}

async function check(options: CheckOptions): Promise<void> {
  if (options.live !== true && (options.key !== undefined || options.caller !== undefined)) {
    throw new CommandError("check: --key and --caller are for --live", { exitCode: EXIT_USAGE });
  }
  const { parseDurationOption } = await import("./options.ts");
  const timeoutMs = parseDurationOption("--timeout", options.timeout);
  const isJson = options.json === true;
  const found = await findConfigOrReport(options.config, isJson);
  if (found === undefined) return;
  const missing = options.here === true ? await findMissing(found) : undefined;
  if (missing !== undefined && missing.length > 0) process.exitCode = EXIT_FAILED;
  if (options.live !== true) return reportGood(found, isJson, missing);
  const { checkLive } = await import("./check-live.ts");
  const live = await checkLive(found.config, { key: options.key, caller: options.caller, timeoutMs, warn });
  reportGood(found, isJson, missing, live);
  if (!isJson) process.stdout.write(`${(await import("./check-live-text.ts")).renderLive(live, process.stdout)}\n`);
  if (!live.ok) process.exitCode = EXIT_FAILED;
}

async function findMissing({ config }: FoundConfig): Promise<readonly MissingHere[]> {
  const { findMissingHere } = await import("./check-here.ts");
  return await findMissingHere(config, Date.now());
}

function warn(message: string): void {
  const label = styleText("yellow", "warning", { stream: process.stderr });
  process.stderr.write(`${label}: ${message}\n`);
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

function reportGood(
  found: FoundConfig,
  isJson: boolean,
  missing: readonly MissingHere[] | undefined,
  live?: LiveReport,
): void {
  const { config, warnings, path, chosenBy } = found;
  const counts = {
    listeners: config.listeners.length,
    tokenSources: config.tokenSources.size,
    rules: config.rules.length,
  };
  if (isJson) {
    const report = { config: path, chosenBy, hash: config.hash, ...counts, errors: [], warnings };
    const ok = (live?.ok ?? true) && (missing ?? []).length === 0;
    printJson({
      ok,
      ...report,
      ...(missing === undefined ? {} : { missing }),
      ...(live === undefined ? {} : { live }),
    });
    return;
  }
  printWarnings(warnings);
  const ok = styleText("green", "OK", { stream: process.stdout });
  const summary = `listeners: ${counts.listeners}, token sources: ${counts.tokenSources}, rules: ${counts.rules}`;
  process.stdout.write(`${path} (${chosenBy}): ${ok}\n${summary}\n`);
  const label = styleText("red", "not here", { stream: process.stderr });
  for (const { path: key, problem } of missing ?? []) process.stderr.write(`${label}: ${key}: ${problem}\n`);
}

function printWarnings(warnings: readonly ConfigIssue[]): void {
  for (const warning of warnings) warn(renderIssue(warning));
}

function printJson(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value, undefined, 2)}\n`);
}
