import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { resolveAccounts } from "../../../src/access/accounts.ts";
import type { CallerConfig } from "../../../src/config/callers.ts";

function accountFiles(t: TestContext) {
  const directory = mkdtempSync(join(tmpdir(), "accounts-"));
  t.after(() => rmSync(directory, { recursive: true }));
  const files = { users: join(directory, "passwd"), groups: join(directory, "group") };
  writeFileSync(
    files.users,
    "# comment\nroot:x:0:0:root:/root:/bin/sh\nalice:x:1000:1000::/home/alice:/bin/sh\nodd:x:y:1\n",
  );
  writeFileSync(files.groups, "root:x:0:\nstaff:x:50:alice\n");
  return files;
}

const withPeer = (uid: number | string | undefined, gid: number | string | undefined) =>
  new Map<string, CallerConfig>([
    ["me", { kind: "unix", uid, gid }],
    ["build", { kind: "dns", name: "build.example.com" }],
  ]);

test("names of users and groups become numbers, and the rest stays as it is", (t) => {
  const files = accountFiles(t);
  assert.deepEqual(resolveAccounts(withPeer("alice", "staff"), files), withPeer(1000, 50));
  assert.deepEqual(resolveAccounts(withPeer("root", undefined), files), withPeer(0, undefined));
  assert.deepEqual(resolveAccounts(withPeer(7, 8), files), withPeer(7, 8));
});

test("an account that there is not is refused with its caller and the file", (t) => {
  const files = accountFiles(t);
  assert.throws(() => resolveAccounts(withPeer("bob", undefined), files), {
    message: `${files.users}: callers.me.unix.uid names user bob, who is not here; create the account, or give its number`,
  });
  assert.throws(() => resolveAccounts(withPeer(1, "wheel"), files), /callers\.me\.unix\.gid names group wheel/);
  assert.throws(() => resolveAccounts(withPeer("odd", undefined), files), /names user odd/);
});

test("a file of accounts that is not there is named with what to do", (t) => {
  const files = { ...accountFiles(t), users: "/nowhere/passwd" };
  assert.throws(() => resolveAccounts(withPeer("alice", undefined), files), {
    name: "ConfigError",
    message:
      "/nowhere/passwd: callers.me.unix.uid names user alice, and it cannot be read: there is no such file; give the number of the account",
  });
  assert.deepEqual(resolveAccounts(withPeer(1000, undefined), files), withPeer(1000, undefined));
});
