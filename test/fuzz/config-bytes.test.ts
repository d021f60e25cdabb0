import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ConfigError } from "../../src/config/issue.ts";
import { parseConfig } from "../../src/config/parse.ts";
import { exampleFiles, readProjectFile } from "../unit/config/config-files.ts";

// FUZZ_SEED and FUZZ_RUNS repeat or prolong a run.
const seed = Number(process.env["FUZZ_SEED"] ?? Date.now() % 2 ** 31);
const numRuns = Number(process.env["FUZZ_RUNS"] ?? 800);
const MAX_RUN_MS = 2000;

const examples = exampleFiles().map((file) => readProjectFile(file));

const fragments = [
  ..."{}[]:,-?&*!|>'\"%@`#~",
  "\n",
  "\n  ",
  "\t",
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
  "null",
  "0o17",
  ".nan",
  "1e999",
  "__proto__: x",
  "constructor: x",
  "toString: ",
  "version: 1",
  "rules:",
  "tokenSources:",
  "type: default",
  "\ufeff",
  "\0",
  "\u2028",
];
const yamlish = fc.array(fc.constantFrom(...fragments), { maxLength: 60 }).map((parts) => parts.join(""));
const token = fc.oneof(fc.constantFrom(...fragments), fc.string({ unit: "binary", maxLength: 8 }));

const mutation = fc.tuple(fc.double({ min: 0, max: 1, noNaN: true }), fc.nat(30), token);
const mutatedExample = fc
  .tuple(fc.constantFrom(...examples), fc.array(mutation, { minLength: 1, maxLength: 4 }))
  .map(([text, mutations]) =>
    mutations.reduce((current, [where, cut, insert]) => {
      const at = Math.floor(where * current.length);
      return current.slice(0, at) + insert + current.slice(at + cut);
    }, text),
  );
const bytes = fc.oneof(
  mutatedExample.map((text) => Buffer.from(text)),
  yamlish.map((text) => Buffer.from(text)),
  fc.uint8Array({ maxLength: 200 }).map((array) => Buffer.from(array)),
);

function checkIssues(error: ConfigError): void {
  assert.ok(error.issues.length >= 1 && error.issues.length <= 100);
  for (const issue of error.issues) {
    assert.equal(issue.file, "config.yaml");
    assert.ok(Number.isInteger(issue.line) && issue.line >= 0 && Number.isInteger(issue.column) && issue.column >= 0);
    assert.match(`${issue.path}${issue.message}`, /^[\x20-\x7e→]+$/);
  }
}

test("any bytes are a config or a ConfigError with printable issues, and in good time", (t) => {
  t.diagnostic(`FUZZ_SEED=${seed}`);
  let accepted = 0;
  fc.assert(
    fc.property(bytes, (input) => {
      const before = performance.now();
      try {
        parseConfig(input, "config.yaml");
        accepted += 1;
      } catch (error) {
        if (!(error instanceof ConfigError)) throw error;
        checkIssues(error);
      }
      assert.ok(performance.now() - before < MAX_RUN_MS);
    }),
    { seed, numRuns, endOnFailure: true },
  );
  t.diagnostic(`${accepted} of ${numRuns} accepted`);
});

test("a secret put anywhere into a config is never repeated by its errors", (t) => {
  t.diagnostic(`FUZZ_SEED=${seed}`);
  const secrets = [
    "ya29.A0AfB_byC7xQ-s3cr3tTokenText",
    "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7",
    "-----BEGIN PRIVATE KEY-----",
  ];
  const withSecret = fc
    .tuple(fc.constantFrom(...examples), fc.double({ min: 0, max: 1, noNaN: true }), fc.constantFrom(...secrets), token)
    .map(([text, where, secret, around]) => {
      const at = Math.floor(where * text.length);
      return { secret, text: `${text.slice(0, at)}${around}${secret}${text.slice(at)}` };
    });
  fc.assert(
    fc.property(withSecret, ({ secret, text }) => {
      try {
        parseConfig(Buffer.from(text), "config.yaml");
      } catch (error) {
        if (!(error instanceof ConfigError)) throw error;
        assert.ok(!error.message.includes(secret.slice(5, 25)), error.message);
      }
    }),
    { seed, numRuns, endOnFailure: true },
  );
});
