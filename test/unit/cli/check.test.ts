import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { runCommand } from "./run-command.ts";

const EXAMPLE = new URL("../../../examples/multi-tenant.yaml", import.meta.url).pathname;

async function configFile(t: TestContext, text: string): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "sops-keyd-check-"));
  t.after(() => rm(directory, { recursive: true }));
  const path = join(directory, "config.yaml");
  await writeFile(path, text);
  return path;
}

test("a good config is OK, with what it holds and why it was taken", async () => {
  assert.deepEqual(await runCommand(["check", "--config", EXAMPLE]), {
    exitCode: 0,
    stdout: `${EXAMPLE} (--config): OK\nlisteners: 2, token sources: 3, rules: 2\n`,
    stderr: "",
  });
});

test("a bad config ends with 2 and all of its errors on standard error", async (t) => {
  const path = await configFile(t, "version: 2\nrulez: []\n");
  assert.deepEqual(await runCommand(["check"], { SOPS_KEYD_CONFIG: path }), {
    exitCode: 2,
    stdout: "",
    stderr: `${path}:1:10: version: expected 1\n${path}:2:1: rulez: unknown key, did you mean rules?\n2 errors\n`,
  });
});

test("warnings are told and do not make a config bad", async (t) => {
  const path = await configFile(t, "version: 1\ntokenSources: { a: { type: default } }\n");
  const { exitCode, stdout, stderr } = await runCommand(["check", "--config", path]);
  assert.equal(exitCode, 0);
  assert.match(stdout, /OK/);
  assert.equal(stderr, `warning: ${path}:2:17: tokenSources.a: no rule uses this token source\n`);
});

test("--json tells programs the same on standard output, good or bad", async (t) => {
  const good = await runCommand(["check", "--json", "--config", EXAMPLE]);
  const { hash, ...rest } = JSON.parse(good.stdout);
  assert.match(hash, /^[0-9a-f]{64}$/);
  assert.deepEqual(rest, {
    ok: true,
    config: EXAMPLE,
    chosenBy: "--config",
    listeners: 2,
    tokenSources: 3,
    rules: 2,
    errors: [],
    warnings: [],
  });
  const path = await configFile(t, "version: 2\n");
  const bad = await runCommand(["check", "--json", "--config", path]);
  assert.equal(bad.exitCode, 2);
  assert.equal(bad.stderr, "");
  assert.deepEqual(JSON.parse(bad.stdout), {
    ok: false,
    errors: [{ file: path, line: 1, column: 10, path: "version", message: "expected 1" }],
    warnings: [],
  });
});

test("a config that is not there ends with 2", async () => {
  const { exitCode, stderr } = await runCommand(["check", "--config", "/does/not/exist.yaml"]);
  assert.equal(exitCode, 2);
  assert.equal(stderr, "/does/not/exist.yaml: there is no such file (--config names it)\n");
});

test("colour is for terminals, or where it is asked for", async () => {
  assert.ok(!(await runCommand(["check", "--config", EXAMPLE])).stdout.includes("\u001b"));
  assert.ok((await runCommand(["check", "--config", EXAMPLE], { FORCE_COLOR: "1" })).stdout.includes("\u001b[32mOK"));
});

test("the help has examples and the exit codes", async () => {
  const { exitCode, stdout } = await runCommand(["check", "--help"]);
  assert.equal(exitCode, 0);
  assert.match(stdout, /Examples:\n {2}sops-keyd check/);
  assert.match(stdout, /Exit code: 0 .* 2 /);
});

test("--here tells all that this machine does not have, and ends with 1", async (t) => {
  const text = `version: 1
listeners:
  - { address: "unix:///run/x.sock", group: no-such-group }
  - { address: "tcp://127.0.0.1:0", tls: { certificate: tls.crt, privateKey: tls.key } }
callers:
  nobody: { unix: { uid: no-such-user } }
  ci: { jwt: { issuer: ci, audience: a, claims: { sub: x }, keys: keys.json } }
tokenSources: { a: { type: service_account, file: a.json }, b: { type: exec, command: [/nowhere/program] } }
rules:
  - name: r
    match: projects/*/locations/*/keyRings/*/cryptoKeys/*
    tokenSource: [a, b]
    kms: { caFile: ca.pem }
    approve: { command: [/nowhere/ask] }
google: { caFile: google.pem }
audit: { file: nowhere/audit.jsonl }
`;
  const path = await configFile(t, text);
  const { exitCode, stderr } = await runCommand(["check", "--here", "--config", path]);
  assert.equal(exitCode, 1);
  assert.deepEqual(
    stderr.split("\n").flatMap((line) => /^not here: ([^:]+): /.exec(line)?.[1] ?? []),
    [
      "listeners[0].group",
      "listeners[1].tls",
      "callers.nobody",
      "callers.ci.jwt.keys",
      "tokenSources.a.file",
      "tokenSources.b.command",
      "rules[0].kms.caFile",
      "rules[0].approve.command",
      "google.caFile",
      "audit.file",
    ],
  );
  const asJson = await runCommand(["check", "--here", "--json", "--config", path]);
  assert.equal(asJson.exitCode, 1);
  const { ok, missing } = JSON.parse(asJson.stdout);
  assert.equal(ok, false);
  assert.equal(missing.length, 10);
});

test("--here finds nothing missing where everything is there", async (t) => {
  const path = await configFile(
    t,
    `version: 1
listeners: [{ address: "unix:///run/x.sock", group: 0 }]
tokenSources: { b: { type: exec, command: [/bin/sh] } }
rules: [{ name: r, match: projects/*/locations/*/keyRings/*/cryptoKeys/*, tokenSource: b }]
audit: { file: audit.jsonl }
`,
  );
  const { exitCode, stderr } = await runCommand(["check", "--here", "--config", path]);
  assert.deepEqual([exitCode, stderr], [0, ""]);
});
