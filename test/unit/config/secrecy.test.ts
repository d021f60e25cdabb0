import assert from "node:assert/strict";
import { test } from "node:test";
import { inspect } from "node:util";
import { errorOf, withRule } from "./parsing.ts";

const LINE = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7";
const PEM = `-----BEGIN PRIVATE KEY-----\\n${LINE}\\n-----END PRIVATE KEY-----`;
const TOKEN = "ya29.a0AfB_byC7xQ1-s3cr3t_t0ken";
const PASSWORD = "hunter2-hunter2";

const inlineKey = (indent: string) =>
  `-----BEGIN PRIVATE KEY-----\n${indent}${LINE}\n${indent}-----END PRIVATE KEY-----`;

const configs: readonly (readonly [what: string, text: string])[] = [
  ["a key as a file", withRule("").replace("type: default", `type: service_account, file: "${PEM}"`)],
  [
    "a key file's JSON as a file",
    withRule("").replace("type: default", `type: service_account, file: '{"private_key":"${PEM}"}'`),
  ],
  [
    "a key file's JSON in place of a source",
    withRule("").replace("{ type: default }", `{"type":"service_account","private_key":"${PEM}"}`),
  ],
  [
    "a key over several lines",
    withRule("").replace("{ type: default }", `\n    type: service_account\n    file: |\n      ${inlineKey("      ")}`),
  ],
  ["a key without indentation", withRule(`google:\n  caFile: ${inlineKey("")}`)],
  ["a key's line as a key", withRule(`${LINE}: ${LINE}`)],
  ["a token as a variable", withRule("").replace("type: default", `type: access_token, env: ${TOKEN}`)],
  ["a token as a source's name", withRule("").replace("tokenSource: a", `tokenSource: ${TOKEN}`)],
  ["a token as a key", withRule(`    ${TOKEN}: 1`)],
  ["a token as an alias", withRule(`google: *${TOKEN}`)],
  ["a token as a tag", withRule(`google: !${TOKEN} {}`)],
  ["a token as a type", withRule("").replace("type: default", `type: ${TOKEN}`)],
  ["a token as a caller", withRule(`    allow: [{ callers: [${TOKEN}] }]`)],
  ["a token as an address", withRule(`listeners: [{ address: "${TOKEN}" }]`)],
  ["a token as a match", withRule("").replace("projects/p", `projects/${TOKEN}`)],
  ["a password in a URL", withRule(`google: { endpoints: { kms: "https://user:${PASSWORD}@kms.example.com" } }`)],
  ["a token in a query", withRule(`google: { endpoints: { kms: "https://kms.example.com?key=${PASSWORD}" } }`)],
  ["a token behind broken YAML", withRule(`google: { caFile: ${TOKEN} ]`)],
  ["a token after a bad escape", withRule(`google: { caFile: "\\q${TOKEN}" }`)],
];

for (const [what, text] of configs) {
  test(`${what} is refused and not repeated`, () => {
    const error = errorOf(text);
    const shown = `${error.message} ${JSON.stringify(error.issues)} ${inspect(error)}`;
    for (const secret of [LINE.slice(0, 20), "s3cr3t", PASSWORD, "BEGIN PRIVATE"])
      assert.ok(!shown.includes(secret), shown);
  });
}
