import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { sandboxFlags } from "../../../src/cli/sandbox.ts";
import { grantsFor } from "../../../src/cli/sandbox-grants.ts";
import type { Environment } from "../../../src/config/environment.ts";
import { parse } from "../config/parsing.ts";

const NOTHING: Environment = { get: () => undefined };

function grantsOf(lines: string, environment = NOTHING) {
  const config = parse(`version: 1\n${lines}`);
  return grantsFor(config, config.listeners, environment);
}

test("a sandbox grants the files that the config names, the directories of sockets and state, and no more", () => {
  const grants = grantsOf(`listeners: [{ address: unix:///run/keyd/a.sock }, { address: "tcp://127.0.0.1:5000" }]
stateDirectory: /var/lib/keyd
google: { caFile: /etc/ca.pem }
tokenSources: { a: { type: access_token, file: /run/token } }`);
  assert.deepEqual(grants, {
    read: [
      "/etc/ca.pem",
      "/etc/group",
      "/etc/passwd",
      "/etc/sops-keyd/config.yaml",
      "/run/keyd",
      "/run/token",
      "/var/lib/keyd",
    ],
    write: ["/run/keyd", "/var/lib/keyd"],
    childProcesses: false,
  });
});

test("a sandbox grants what a credential file names in turn", (t) => {
  const directory = mkdtempSync(join(tmpdir(), "sandbox-"));
  t.after(() => rmSync(directory, { recursive: true }));
  const certificates = join(directory, "certificates.json");
  const credential = join(directory, "federation.json");
  const source = { file: "/run/oidc/token", certificate: { certificate_config_location: certificates } };
  writeFileSync(credential, JSON.stringify({ credential_source: source }));
  writeFileSync(certificates, JSON.stringify({ cert_configs: { workload: { cert_path: "/run/cert.pem" } } }));
  const { read } = grantsOf(`tokenSources: { a: { type: external_account, file: ${JSON.stringify(credential)} } }`);
  for (const path of [credential, "/run/oidc/token", certificates, "/run/cert.pem"])
    assert.ok(read.includes(path), path);
});

test("a sandbox waits for no pipe that a config names as a credential", (t) => {
  const directory = mkdtempSync(join(tmpdir(), "sandbox-"));
  t.after(() => rmSync(directory, { recursive: true }));
  const pipe = join(directory, "credential.json");
  assert.equal(spawnSync("mkfifo", [pipe]).status, 0);
  const { read } = grantsOf(`tokenSources: { a: { type: external_account, file: ${JSON.stringify(pipe)} } }`);
  assert.ok(read.includes(pipe));
});

for (const [what, source, expected] of [
  ["an exec source", "{ type: exec, command: [get-token] }", true],
  ["an executable of a credential file", "{ type: external_account, env: X, allowExecutable: true }", true],
  ["no command", "{ type: metadata }", false],
] as const) {
  test(`a sandbox ${expected ? "lets commands run" : "lets no command run"} for ${what}`, () => {
    assert.equal(grantsOf(`tokenSources: { a: ${source} }`).childProcesses, expected);
  });
}

test("a sandbox lets approval be asked for, of a command or at the terminal", () => {
  const ruleWith = (approve: string) => `tokenSources: { a: { type: metadata } }
rules:
  - name: r
    match: projects/p/locations/global/keyRings/r/cryptoKeys/k
    tokenSource: a
    approve: ${approve}`;
  assert.equal(grantsOf(ruleWith("{ command: [ask] }")).childProcesses, true);
  const { read, write, childProcesses } = grantsOf(ruleWith("{ prompt: terminal }"));
  assert.equal(childProcesses, false);
  assert.ok(read.includes("/dev/tty") && write.includes("/dev/tty") && read.includes("/proc/self/stat"));
});

test("a sandbox for sops' own order of credentials grants gcloud's directory and what the environment names", () => {
  const variables: Readonly<Record<string, string>> = { HOME: "/home/me", GOOGLE_CREDENTIALS: "/keys/sa.json" };
  const { read } = grantsOf("tokenSources: { a: { type: default } }", { get: (name: string) => variables[name] });
  assert.ok(read.includes("/home/me/.config/gcloud"));
  assert.ok(read.includes("/keys/sa.json"));
});

test("a sandbox lets the program read itself and its packages, and a path and all below it", () => {
  const flags = sandboxFlags(
    { read: ["/etc/keyd"], write: ["/run/keyd"], childProcesses: false },
    "/opt/lib/sops-keyd",
  );
  for (const path of ["/etc/keyd", "/etc/keyd/*", "/opt/lib/node_modules", "/opt/lib/sops-keyd/dist"])
    assert.ok(flags.includes(`--allow-fs-read=${path}`), path);
  assert.deepEqual(
    flags.filter((flag) => flag.startsWith("--allow-fs-write")),
    ["--allow-fs-write=/run/keyd", "--allow-fs-write=/run/keyd/*"],
  );
  assert.ok(!flags.includes("--allow-child-process"));
});
