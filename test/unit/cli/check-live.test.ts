import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, beforeEach, describe, test } from "node:test";
import { type Emulator, startEmulator } from "../../../src/emulator/emulator.ts";
import { runCommand } from "./run-command.ts";

const KEY = "projects/p/locations/global/keyRings/r/cryptoKeys/k";

describe("check --live", () => {
  let emulator: Emulator;
  let directory: string;

  before(async () => {
    emulator = await startEmulator();
    directory = await mkdtemp(join(tmpdir(), "sops-keyd-live-"));
  });
  after(async () => {
    await emulator.close();
    await rm(directory, { recursive: true });
  });
  beforeEach(() => {
    emulator.admin.clearFaults();
    emulator.admin.setAccess(KEY, undefined);
  });

  async function live(changes: object, ...args: string[]) {
    const { url, files } = emulator;
    const config = join(directory, "config.yaml");
    const document = {
      version: 1,
      google: { endpoints: { kms: url, oauth2: url, sts: url, iamCredentials: url, metadata: url } },
      listeners: [{ address: `unix://${directory}/a.sock`, caller: "team-a" }],
      tokenSources: {
        first: { type: "service_account", file: files.serviceAccount, grant: "oauth" },
        absent: { type: "access_token", file: join(directory, "absent") },
      },
      rules: [{ name: "r", match: KEY, tokenSource: ["absent", "first"], allow: [{ callers: ["team-a"] }] }],
      ...changes,
    };
    await writeFile(config, JSON.stringify(document));
    return runCommand(["check", "--live", "--config", config, ...args]);
  }

  test("tells of each source who, until when and by which steps; what a chain does without is passed over", async () => {
    const { exitCode, stdout, stderr } = await live({});
    assert.equal(stderr, "");
    assert.equal(exitCode, 0);
    const text = stdout.slice(stdout.indexOf("token source first"));
    assert.match(
      text,
      /^token source first: ok\n {2}for first@\S+\n {2}until \S+Z \(in (1h 0m|59m \d+s)\)\n {2}1\. key of first@/,
    );
    assert.match(text, /^token source absent: passed over\n {2}there is no credential file \S+absent\n/m);
    assert.ok(!stdout.includes("ya29"));
  });

  test("a source that exchanges what its callers bring is passed over: there is no caller", async () => {
    const tokenSources = {
      first: { type: "service_account", file: emulator.files.serviceAccount, grant: "oauth" },
      own: { type: "external_account", file: "never-read.json", subjectToken: { from: "caller" } },
    };
    const rules = [{ name: "r", match: KEY, tokenSource: "own", allow: [{ callers: ["team-a"] }] }];
    const { exitCode, stdout } = await live({ tokenSources, rules });
    assert.match(stdout, /^token source own: passed over\n {2}this token source exchanges the caller's own token/m);
    assert.equal(exitCode, 0);
  });

  test("--key makes a round trip as the caller, through the rule and the principal of its token", async () => {
    const { exitCode, stdout } = await live({}, "--key", KEY, "--caller", "team-a", "--json");
    assert.equal(exitCode, 0);
    const { ok, live: report } = JSON.parse(stdout);
    assert.equal(ok, true);
    assert.deepEqual(report.roundTrip, {
      key: KEY,
      ok: true,
      rule: "r",
      principal: emulator.principals.serviceAccount,
      keyVersion: `${KEY}/cryptoKeyVersions/1`,
    });
    assert.deepEqual(
      report.sources.map((each: { source: string; status: string }) => `${each.source} ${each.status}`),
      ["first ok", "absent passed_over"],
    );
  });

  test("a caller that the rule does not allow is refused as the server refuses it", async () => {
    const { exitCode, stdout } = await live({}, "--key", KEY, "--json");
    assert.equal(exitCode, 1);
    assert.equal(JSON.parse(stdout).live.roundTrip.error.code, "caller_not_allowed");
  });

  test("a key that the principal may not use fails the check, with the remedy", async () => {
    emulator.admin.setAccess(KEY, []);
    const { exitCode, stdout } = await live({}, "--key", KEY, "--caller", "team-a");
    assert.equal(exitCode, 1);
    assert.match(
      stdout,
      /round trip projects\/p\/.*: failed\n.*403 PERMISSION_DENIED.*\n {2}as: first@.*\n {2}to do: grant roles\/cloudkms/,
    );
  });

  test("a source that is refused fails the check, the others are still told", async () => {
    const user = { type: "authorized_user", file: emulator.files.authorizedUser };
    const first = { type: "service_account", file: emulator.files.serviceAccount };
    emulator.admin.addFault({
      endpoint: "oauth.token",
      kind: "status",
      code: 400,
      body: { error: "invalid_grant", error_description: "Token has been expired or revoked." },
    });
    const rules = [{ name: "r", match: KEY, tokenSource: "user" }];
    const { exitCode, stdout } = await live({ tokenSources: { user, first }, rules, listeners: [] });
    assert.equal(exitCode, 1);
    assert.match(stdout, /token source user: failed\n.*HTTP 400 invalid_grant.*\n {2}to do: run gcloud/);
    assert.match(stdout, /token source first: ok/);
  });

  test("a source whose endpoint never answers is given up at --timeout, and the command ends", async () => {
    emulator.admin.addFault({ endpoint: "oauth.token", kind: "hang" });
    const startedMs = performance.now();
    const { exitCode, stdout } = await live({}, "--timeout", "500ms");
    assert.equal(exitCode, 1);
    assert.match(stdout, /token source first: failed\n {2}no token came within 0.5 s/);
    // Nothing is there for the rule, so nothing is forgiven.
    assert.match(stdout, /token source absent: failed/);
    assert.ok(performance.now() - startedMs < 8000);
  });

  test("--key without --live is a mistake of usage, since nothing would come of it", async () => {
    const { exitCode, stderr } = await runCommand(["check", "--key", KEY]);
    assert.equal(exitCode, 2);
    assert.match(stderr, /--key and --caller are for --live/);
  });
});
