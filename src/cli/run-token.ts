import { assemble } from "../assembly.ts";
import type { Config } from "../config/config.ts";
import { processEnvironment } from "../config/environment.ts";
import { systemClock } from "../core/clock.ts";
import { KeyServiceError, toPrintableLine } from "../core/errors.ts";
import type { HeldToken } from "../credentials/token.ts";
import { loadActiveConfig } from "./active-config.ts";
import { CommandError, EXIT_FAILED, EXIT_USAGE } from "./exit.ts";
import { inForeground } from "./foreground.ts";
import { describeFailure, describeToken, getTokenWithin, renderSeconds, type TokenFacts } from "./live-token.ts";
import { parseDurationOption } from "./options.ts";
import { processSurroundings } from "./surroundings.ts";
import type { TokenOptions } from "./token.ts";

const LABEL_WIDTH = 9;

export async function runToken(source: string | undefined, options: TokenOptions): Promise<void> {
  const timeoutMs = parseDurationOption("--timeout", options.timeout);
  const { config } = await loadActiveConfig(options.config, processEnvironment);
  const names = chooseSources(config, source, options.rule);
  try {
    const token = await inForeground(fetchToken(config, names, timeoutMs));
    process.stdout.write(`${render(names.join(", "), token, options)}\n`);
  } catch (thrown) {
    if (options.json !== true || !(thrown instanceof KeyServiceError)) throw thrown;
    process.stdout.write(`${toJson({ ok: false, error: describeFailure(thrown) })}\n`);
    process.exitCode = EXIT_FAILED;
  }
}

/** By the server's own way, so that what works here works there. */
async function fetchToken(config: Config, names: readonly string[], timeoutMs: number): Promise<HeldToken> {
  const surroundings = processSurroundings((message) => {
    process.stderr.write(`warning: ${toPrintableLine(message)}\n`);
  });
  const assembly = assemble(config, surroundings, { timeoutMs });
  try {
    return await getTokenWithin(assembly.tokenSources.holderFor(names), timeoutMs, systemClock);
  } finally {
    await assembly.close();
  }
}

/** @throws CommandError where the config has no such source or rule */
function chooseSources(config: Config, source: string | undefined, ruleName: string | undefined): readonly string[] {
  if ((source === undefined) === (ruleName === undefined)) throw usage("token: name either a token source or a --rule");
  if (ruleName !== undefined) {
    const rule = config.rules.find(({ name }) => name === ruleName);
    if (rule !== undefined) return rule.tokenSource;
    throw usage(`token: no rule has the name ${toPrintableLine(ruleName)}; there are: ${listRules(config)}`);
  }
  if (source !== undefined && config.tokenSources.has(source)) return [source];
  const known = [...config.tokenSources.keys()].join(", ") || "none";
  throw usage(`token: no token source has the name ${toPrintableLine(source ?? "")}; there are: ${known}`);
}

function listRules(config: Config): string {
  return config.rules.map(({ name }) => name).join(", ") || "none";
}

function usage(message: string): CommandError {
  return new CommandError(message, { exitCode: EXIT_USAGE });
}

function render(source: string, token: HeldToken, options: TokenOptions): string {
  const facts = describeToken(token, systemClock.nowMs());
  if (options.json === true) {
    const shown = options.print === true ? { accessToken: token.accessToken.reveal() } : {};
    return toJson({ ok: true, source, ...facts, ...shown });
  }
  return options.print === true ? token.accessToken.reveal() : renderFacts(source, facts);
}

function renderFacts(source: string, facts: TokenFacts): string {
  const rows: readonly (readonly [string, string])[] = [
    ["source", source],
    ["for", facts.principal ?? "nobody that can be told: the token is opaque"],
    ["expires", `${facts.expiresAt} (in ${renderSeconds(facts.expiresInSeconds)})`],
    ...facts.steps.map((step, index) => [index === 0 ? "steps" : "", `${index + 1}. ${step}`] as const),
  ];
  return rows.map(([label, text]) => `${label.padEnd(LABEL_WIDTH)}${toPrintableLine(text)}`).join("\n");
}

function toJson(value: object): string {
  return JSON.stringify(value, undefined, 2);
}
