import assert from "node:assert/strict";
import { test } from "node:test";
import { issuesOf, parse } from "./parsing.ts";

const withSource = (source: string) => `version: 1
tokenSources:
  a: ${source}
rules: [{ name: r, match: projects/p/locations/global/keyRings/r/cryptoKeys/k, tokenSource: a }]
`;
const sourceOf = (source: string) => parse(withSource(source)).tokenSources.get("a");

test("a command runs in the config's directory for ten seconds at most, unless told otherwise", () => {
  assert.deepEqual(sourceOf("{ type: exec, command: [gcloud, x] }"), {
    type: "exec",
    command: ["gcloud", "x"],
    env: [],
    cwd: "/etc/sops-keyd",
    timeoutMs: 10_000,
  });
  assert.deepEqual(sourceOf("{ type: exec, command: [/bin/x], env: [HTTPS_PROXY], cwd: sub, timeout: 2m }"), {
    type: "exec",
    command: ["/bin/x"],
    env: ["HTTPS_PROXY"],
    cwd: "/etc/sops-keyd/sub",
    timeoutMs: 120_000,
  });
});

test("a module's path is relative to the config, and its options are what stands there, frozen", () => {
  const source = sourceOf("{ type: module, path: m.ts, options: { a: [1, { b: true }] } }");
  assert.ok(source?.type === "module");
  assert.equal(source.path, "/etc/sops-keyd/m.ts");
  assert.equal(JSON.stringify(source.options), '{"a":[1,{"b":true}]}');
  assert.ok(Object.isFrozen(source.options["a"]));
});

test("credentials of Distributed Cloud and of workforce logins come with absolute paths", () => {
  assert.deepEqual(sourceOf("{ type: gdch_service_account, file: k.json, audience: https://kms }"), {
    type: "gdch_service_account",
    credential: { kind: "file", path: "/etc/sops-keyd/k.json" },
    audience: "https://kms",
  });
  assert.deepEqual(sourceOf("{ type: external_account_authorized_user, env: LOGIN }"), {
    type: "external_account_authorized_user",
    credential: { kind: "env", variable: "LOGIN" },
  });
});

test("the state directory is relative to the config, and there is none unless it is named", () => {
  assert.equal(parse(withSource("{ type: default }")).stateDirectory, undefined);
  assert.equal(parse(`${withSource("{ type: default }")}stateDirectory: state`).stateDirectory, "/etc/sops-keyd/state");
});

const refused: readonly (readonly [what: string, source: string, issue: RegExp])[] = [
  ["a command by a relative path", "{ type: exec, command: [./x] }", /a\.command\[0\]: expected an absolute path, or/],
  ["a command without a name", '{ type: exec, command: [""] }', /a\.command\[0\]: expected an absolute path, or/],
  ["an empty command", "{ type: exec, command: [] }", /a\.command: expected a list of 1 to 64 texts/],
  ["a command as one text", "{ type: exec, command: gcloud x }", /a\.command: expected a list of 1 to 64 texts/],
  ["variables with values", '{ type: exec, command: [x], env: ["A=b"] }', /a\.env\[0\]: expected the name of an/],
  ["a command that may run for ever", "{ type: exec, command: [x], timeout: 1h }", /a\.timeout: expected a duration/],
  ["a module without a path", "{ type: module }", /a\.path: is missing/],
  ["options that are a list", "{ type: module, path: m.ts, options: [] }", /a\.options: expected a mapping/],
  ["no audience", "{ type: gdch_service_account, file: k.json }", /a\.audience: is missing/],
  ["no credential", "{ type: gdch_service_account, audience: x }", /a: expected file or env/],
  [
    "two credentials",
    "{ type: external_account_authorized_user, file: a, env: B }",
    /a: expected either file or env, not both/,
  ],
];

for (const [what, source, issue] of refused) {
  test(`${what} is refused`, () => {
    const issues = issuesOf(withSource(source));
    assert.equal(issues.length, 1, issues.join("\n"));
    assert.match(issues[0] ?? "", issue);
  });
}
