import assert from "node:assert/strict";
import { join } from "node:path";
import type { Config } from "../../../src/config/config.ts";
import { ConfigError } from "../../../src/config/issue.ts";
import { parseConfig } from "../../../src/config/parse.ts";
import { CALLERS, type PolicyDocument } from "./policy-reference.ts";

/** The listeners' names, and one listener that gives none. */
export const ORIGINS: readonly (string | undefined)[] = [...CALLERS, undefined];

/**
 * A config with this policy, a socket in `directory` for each of {@link ORIGINS}, and the token source `well`.
 *
 * @param more other parts of the document
 * @returns undefined where it is refused, as one with an entry that no key of its rule fits
 */
export function loadPolicy(policy: PolicyDocument, directory: string, more: object = {}): Config | undefined {
  const document = {
    version: 1,
    listeners: ORIGINS.map((caller, index) => ({ address: `unix://${directory}/${index}.sock`, caller })),
    tokenSources: { well: { type: "metadata" } },
    ...policy,
    rules: policy.rules.map((rule) => ({ ...rule, tokenSource: "well" })),
    ...more,
  };
  try {
    return parseConfig(Buffer.from(JSON.stringify(document)), join(directory, "config.yaml")).config;
  } catch (thrown) {
    assert.ok(thrown instanceof ConfigError);
    for (const { message } of thrown.issues) assert.equal(message, "no key of this rule fits it");
    return undefined;
  }
}
