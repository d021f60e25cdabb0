import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { withRule } from "../config/parsing.ts";
import { runCommand } from "./run-command.ts";

const KEY = "projects/p/locations/global/keyRings/r/cryptoKeys/k";

function explain(t: TestContext, callers: string, ...args: readonly string[]) {
  const directory = mkdtempSync(join(tmpdir(), "explain-"));
  t.after(() => rmSync(directory, { recursive: true }));
  const path = join(directory, "config.yaml");
  const lines = `    allow: [{ callers: [me] }]\nlisteners: [{ address: unix:///run/s }]\ncallers: { ${callers} }`;
  writeFileSync(path, withRule(lines));
  return runCommand(["explain", "--config", path, ...args, KEY]);
}

test("a process is decided on by its user and group", async (t) => {
  const mine = await explain(t, "me: { unix: { uid: 1000 } }", "--uid", "1000");
  assert.equal(mine.exitCode, 0);
  assert.match(mine.stdout, /caller {8}me, by unix:\/\/\/run\/s/);
  const other = await explain(t, "me: { unix: { uid: 1000 } }", "--uid", "1001", "--gid", "50");
  assert.equal(other.exitCode, 1);
  assert.match(other.stdout, /a caller without a name at unix:\/\/\/run\/s \(uid 1001, gid 50\)/);
});

for (const [what, args, words] of [
  ["a process and a name", ["--uid", "1", "--caller", "me"], /not both/],
  ["a user that is no number", ["--uid", "alice"], /expected the number of a user or group/],
] as const) {
  test(`${what} is a wrong command line`, async (t) => {
    const { exitCode, stderr } = await explain(t, "me: { unix: { uid: 1000 } }", ...args);
    assert.equal(exitCode, 2);
    assert.match(stderr, words);
  });
}

test("a caller that is an account which this machine does not have is told with its place", async (t) => {
  const { exitCode, stderr } = await explain(t, "me: { unix: { uid: nobody-here } }", "--uid", "1");
  assert.equal(exitCode, 2);
  assert.match(stderr, /callers\.me\.unix\.uid names user nobody-here, who is not here/);
});
