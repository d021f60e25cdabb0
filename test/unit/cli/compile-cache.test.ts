import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { isOursAlone } from "../../../src/cli/compile-cache.ts";
import { homeDirectory } from "../../../src/config/environment.ts";
import { PACKAGE_COMPILE_CACHE } from "../../../src/package-files.ts";
import { runCommand } from "./run-command.ts";

function makeFolder(t: TestContext): string {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), "compile-cache-")));
  t.after(() => rmSync(folder, { recursive: true }));
  return folder;
}

test("code is cached in a folder that this user alone can write to", async (t) => {
  const folder = makeFolder(t);
  assert.equal(isOursAlone(folder), true);
  const { exitCode } = await runCommand(["--version"], { XDG_CACHE_HOME: folder });
  assert.equal(exitCode, 0);
  const cache = join(folder, "sops-keyd", "compile-cache");
  assert.equal(isOursAlone(existsSync(PACKAGE_COMPILE_CACHE) ? PACKAGE_COMPILE_CACHE : cache), true);
});

test("code is not taken from a folder that others can write to, or can put another one in the place of", (t) => {
  const folder = makeFolder(t);
  const inner = join(folder, "open", "inner");
  mkdirSync(inner, { recursive: true, mode: 0o700 });
  assert.equal(isOursAlone(inner), true);
  for (const mode of [0o777, 0o770, 0o720, 0o702]) {
    chmodSync(join(folder, "open"), mode);
    assert.equal(isOursAlone(inner), false, mode.toString(8));
  }
  // As in /tmp, where only its owner can move what is there; yet anybody can add to it.
  chmodSync(join(folder, "open"), 0o1777);
  assert.equal(isOursAlone(inner), true);
  assert.equal(isOursAlone(join(folder, "open")), false);
});

test("code is not taken from behind a symbolic link, nor from where there is nothing", (t) => {
  const folder = makeFolder(t);
  symlinkSync(folder, join(folder, "link"));
  assert.equal(isOursAlone(join(folder, "link")), false);
  assert.equal(isOursAlone(join(folder, "missing")), false);
});

test("a home that cannot be written to is no reason not to start", async () => {
  const { exitCode, stderr } = await runCommand(["--version"], { XDG_CACHE_HOME: "/dev/null" });
  assert.deepEqual([exitCode, stderr], [0, ""]);
});

test("a user without a home is none either: a container's number that has no account", () => {
  const noHome = () => {
    throw new Error("uv_os_homedir returned ENOENT");
  };
  assert.equal(homeDirectory({ get: () => undefined }, noHome), undefined);
});

test("a process of such a user says its version", (t) => {
  const main = new URL("../../../src/main.ts", import.meta.url).pathname;
  const asNobody = { uid: 64_321, env: {}, encoding: "utf8", timeout: 20_000 } as const;
  if (spawnSync("/bin/sh", ["-c", `test -x ${process.execPath} && test -r ${main}`], asNobody).status !== 0) {
    t.skip("needs root, and a checkout that others can read");
    return;
  }
  const { status, stderr } = spawnSync(process.execPath, [main, "--version"], asNobody);
  assert.deepEqual([status, stderr], [0, ""]);
});
