import assert from "node:assert/strict";
import type { Config } from "../../../src/config/config.ts";
import { ConfigError, renderIssue } from "../../../src/config/issue.ts";
import { parseConfig } from "../../../src/config/parse.ts";

const FILE = "/etc/sops-keyd/config.yaml";

/** A config that holds what every one needs, plus the given lines. */
export function withRule(lines: string): string {
  return `version: 1
tokenSources:
  a: { type: default }
rules:
  - name: r
    match: projects/p/locations/global/keyRings/r/cryptoKeys/k
    tokenSource: a
${lines}`;
}

export function parse(text: string): Config {
  return parseConfig(Buffer.from(text), FILE).config;
}

/** The warnings of a good config, as `LINE:COLUMN: KEY: message`. */
export function warningsOf(text: string): readonly string[] {
  return parseConfig(Buffer.from(text), FILE).warnings.map((issue) => withoutFile(renderIssue(issue)));
}

/** The issues of a bad config, as `LINE:COLUMN: KEY: message`. */
export function issuesOf(text: string | Uint8Array): readonly string[] {
  return errorOf(text).issues.map((issue) => withoutFile(renderIssue(issue)));
}

export function errorOf(text: string | Uint8Array): ConfigError {
  try {
    parseConfig(typeof text === "string" ? Buffer.from(text) : text, FILE);
  } catch (error) {
    if (error instanceof ConfigError) return error;
    throw error;
  }
  return assert.fail("the config was accepted");
}

function withoutFile(rendered: string): string {
  assert.ok(rendered.startsWith(`${FILE}:`), rendered);
  return rendered.slice(FILE.length + 1).trim();
}
