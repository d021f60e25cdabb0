import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { type Emulator, startEmulator } from "../../../src/emulator/emulator.ts";
import { runCommand } from "./run-command.ts";

const EVERY_KEY = "projects/*/locations/*/keyRings/*/cryptoKeys/*";

describe("token", () => {
  let emulator: Emulator;
  let directory: string;
  let config: string;

  before(async () => {
    emulator = await startEmulator();
    directory = await mkdtemp(join(tmpdir(), "sops-keyd-token-"));
    config = join(directory, "config.yaml");
    const { url, files } = emulator;
    const document = {
      version: 1,
      google: { endpoints: { kms: url, oauth2: url, sts: url, iamCredentials: url, metadata: url } },
      tokenSources: {
        first: { type: "service_account", file: files.serviceAccount, grant: "oauth" },
        target: { type: "impersonated_service_account", source: "first", target: emulator.principals.impersonated },
        opaque: { type: "access_token", file: files.accessToken },
        absent: { type: "access_token", file: join(directory, "absent") },
      },
      rules: [{ name: "chained", match: EVERY_KEY, tokenSource: ["absent", "target"] }],
    };
    await writeFile(config, JSON.stringify(document));
  });
  after(async () => {
    await emulator.close();
    await rm(directory, { recursive: true });
  });

  const token = (...args: string[]) => runCommand(["token", "--config", config, ...args]);

  test("says who the token is for, until when and by which steps, and not the token", async () => {
    const { exitCode, stdout, stderr } = await token("target");
    assert.equal(stderr, "");
    assert.equal(exitCode, 0);
    const lines = stdout.split("\n");
    assert.equal(lines[0], "source   target");
    assert.equal(lines[1], `for      ${emulator.principals.impersonated}`);
    assert.match(lines[2] ?? "", /^expires {2}\d{4}-\d\d-\d\dT[\d:.]+Z \(in (1h 0m|59m \d+s)\)$/);
    assert.match(lines[3] ?? "", /^steps {4}1\. key of first@/);
    assert.match(stdout, /3\. impersonated target@/);
    assert.ok(!stdout.includes("ya29"));
  });

  test("--print prints a token that Cloud KMS takes, and nothing else", async () => {
    const { exitCode, stdout, stderr } = await token("first", "--print");
    assert.deepEqual({ exitCode, stderr }, { exitCode: 0, stderr: "" });
    assert.match(stdout, /^[\x21-\x7e]+\n$/);
    const url = `${emulator.url}/v1/projects/p/locations/global/keyRings/r/cryptoKeys/k:encrypt`;
    const answer = await fetch(url, {
      method: "POST",
      headers: { authorization: `Bearer ${stdout.trim()}`, "content-type": "application/json" },
      body: JSON.stringify({ plaintext: "AAAA" }),
    });
    assert.equal(answer.status, 200);
  });

  test("--rule asks the rule's chain, and its steps say what was passed over and why", async () => {
    const { stdout } = await token("--rule", "chained", "--json");
    const { ok, source, principal, steps, ...rest } = JSON.parse(stdout);
    assert.deepEqual(
      { ok, source, principal },
      { ok: true, source: "absent, target", principal: emulator.principals.impersonated },
    );
    assert.match(steps[0], /^passed over absent: there is no credential file .*absent$/);
    assert.deepEqual(Object.keys(rest), ["expiresAt", "expiresInSeconds"]);
  });

  test("a token that says nothing of its owner is told as that", async () => {
    assert.match((await token("opaque")).stdout, /^for {6}nobody that can be told: the token is opaque$/m);
  });

  test("where there is none it ends with 1, the problem and its remedy", async () => {
    const text = await token("absent");
    assert.equal(text.exitCode, 1);
    assert.equal(text.stdout, "");
    assert.match(text.stderr, /^sops-keyd: there is no credential file .*absent\ntoken source: absent/);
    const json = await token("absent", "--json");
    assert.equal(json.exitCode, 1);
    const { ok, error } = JSON.parse(json.stdout);
    assert.deepEqual([ok, error.code, error.source], [false, "credential_missing", "absent"]);
  });

  test("an endpoint that never answers is given up at --timeout, and the command ends", async () => {
    const fault = emulator.admin.addFault({ endpoint: "oauth.token", kind: "hang" });
    const startedMs = performance.now();
    const { exitCode, stderr } = await token("first", "--timeout", "500ms");
    emulator.admin.clearFaults(fault);
    assert.equal(exitCode, 1);
    assert.match(stderr, /no token came within 0.5 s/);
    assert.ok(performance.now() - startedMs < 8000);
  });

  test("a name that is not there, none or two at once end with 2", async () => {
    for (const args of [["nobody"], [], ["first", "--rule", "chained"], ["--rule", "nobody"]]) {
      const { exitCode, stderr } = await token(...args);
      assert.equal(exitCode, 2, stderr);
      assert.match(stderr, /^sops-keyd: token: /);
    }
    assert.match((await token("nobody")).stderr, /there are: first, target, opaque, absent/);
  });
});
