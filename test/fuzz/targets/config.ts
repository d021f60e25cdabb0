import assert from "node:assert/strict";
import { ConfigError } from "../../../src/config/issue.ts";
import { parseConfig } from "../../../src/config/parse.ts";
import { exampleFiles, readProjectFile } from "../../unit/config/config-files.ts";
import { CANARY, expectPublic, kindOf } from "../harness/expect.ts";
import type { Target } from "../harness/target.ts";

const FILE = "config.yaml";

export const config: Target = {
  name: "config",
  dictionary: [
    ..."{}[]:,-?&*!|>'\"%@`#~",
    "\n  ",
    "\n    ",
    "\n",
    ": ",
    "- ",
    "&a ",
    "*a",
    "<<: *a",
    "!!binary ",
    "!!set ",
    "!x ",
    "---\n",
    "...\n",
    "%YAML 1.1\n",
    "0o17",
    ".nan",
    "__proto__: x",
    "version: 1",
    "rules:",
    "tokenSources:",
    "callers:",
    "listeners:",
    "audit:",
    "type: default",
    "match: ",
    "allow: ",
    "deny: ",
    "env: ",
    "file: ",
    "unix://",
    "tcp://",
    "projects/*",
    CANARY,
  ],
  maxBytes: 4000,
  open: () => ({
    run(input) {
      try {
        const { config: loaded, warnings } = parseConfig(input, FILE);
        assert.ok(Object.isFrozen(loaded));
        assert.deepEqual(parseConfig(input, FILE).config, loaded, "read twice, it says two things");
        assert.ok(loaded.rules.every(({ allow }) => allow !== undefined) || loaded.listeners.every(isLocal));
        for (const { message, path } of warnings) expectPublic(`${path} ${message}`);
        return `accepted ${loaded.rules.length} ${loaded.listeners.length} ${loaded.tokenSources.size} ${warnings.length}`;
      } catch (thrown) {
        if (!(thrown instanceof ConfigError)) throw thrown;
        return expectIssues(thrown);
      }
    },
    samples: exampleFiles().map((file) => Buffer.from(readProjectFile(file))),
  }),
};

/** A rule without `allow` serves local listeners: so there must be none but those. */
function isLocal(listener: { readonly kind: string; readonly host?: string }): boolean {
  return listener.kind === "unix" || /^(?:127\.|localhost$|::1$|0*(?::0*)*:0*1$|::ffff:)/i.test(listener.host ?? "");
}

function expectIssues({ issues, message: whole }: ConfigError): string {
  assert.ok(issues.length >= 1 && issues.length <= 100, `${issues.length} issues`);
  assert.ok(!whole.includes(CANARY), "a secret is shown");
  for (const { file, line, column, path, message } of issues) {
    assert.equal(file, FILE);
    assert.ok(Number.isInteger(line) && line >= 0 && Number.isInteger(column) && column >= 0);
    expectPublic(path);
    expectPublic(message);
  }
  return kindOf(issues[0]?.message ?? "");
}
