import { createHash } from "node:crypto";
import { checkAudit } from "./check-audit.ts";
import { checkCallers } from "./check-callers.ts";
import { checkListeners } from "./check-listeners.ts";
import { checkCallerLimits, checkPolicy } from "./check-policy.ts";
import { checkRules } from "./check-rules.ts";
import { checkTokenSources } from "./check-sources.ts";
import { checkUniverses } from "./check-universes.ts";
import type { Config } from "./config.ts";
import type { PartialShape } from "./document.ts";
import { ConfigError, type ConfigIssue } from "./issue.ts";
import type { Judgement } from "./judgement.ts";
import { resolveConfig } from "./resolve.ts";
import { readShape } from "./shape.ts";
import { parseConfigDocument } from "./yaml-document.ts";

export interface LoadedConfig {
  readonly config: Config;
  /** What is odd, but no reason to refuse it. */
  readonly warnings: readonly ConfigIssue[];
}

/**
 * Reads a config from its bytes: YAML, then its shape, then what no shape can say. Opens no file.
 *
 * Importing this module costs a tenth of a second (zod); `load.ts` does so only when there is something to read.
 *
 * @param path for messages, and the place that relative paths start from
 * @throws ConfigError with every issue that was found
 */
export function parseConfig(bytes: Uint8Array, path: string): LoadedConfig {
  const document = parseConfigDocument(bytes, path);
  if (document.issues.length > 0) throw new ConfigError(document.issues);
  if (document.value === undefined || document.value === null) {
    const message = "the file is empty, expected a mapping that begins with version: 1";
    throw new ConfigError([{ file: path, line: 0, column: 0, path: "", message }]);
  }
  const { whole, partial, findings } = readShape(document.value);
  const judgements = collect(judge(partial));
  const errors = judgements.filter(({ severity }) => severity === "error");
  if (whole === undefined || findings.length + errors.length > 0) {
    throw new ConfigError(document.locate([...findings, ...errors]));
  }
  const warnings = document.locate(judgements.filter(({ severity }) => severity === "warning"));
  return { config: resolveConfig(whole, path, createHash("sha256").update(bytes).digest("hex")), warnings };
}

/** More errors than are ever shown are not worked out: each may cost a search for the name that was meant. */
const MAX_ERRORS = 1000;

function collect(judgements: Iterable<Judgement>): readonly Judgement[] {
  const collected: Judgement[] = [];
  let errors = 0;
  for (const judgement of judgements) {
    collected.push(judgement);
    // Warnings do not count: they must never keep an error from being found.
    if (judgement.severity === "error") errors += 1;
    if (errors >= MAX_ERRORS) break;
  }
  return collected;
}

function* judge(config: PartialShape): Generator<Judgement> {
  yield* checkListeners(config);
  yield* checkCallers(config);
  yield* checkTokenSources(config);
  yield* checkRules(config);
  yield* checkPolicy(config);
  yield* checkCallerLimits(config);
  yield* checkUniverses(config);
  yield* checkAudit(config);
}
