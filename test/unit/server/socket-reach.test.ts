import assert from "node:assert/strict";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { findClosedDirectory } from "../../../src/server/socket-reach.ts";

/** Where the temporary directory itself is closed, as on macOS, there is nothing to find out. */
function setUp(t: TestContext) {
  const root = mkdtempSync(join(tmpdir(), "reach-"));
  t.after(() => rmSync(root, { recursive: true }));
  chmodSync(root, 0o755);
  const directory = join(root, "run");
  mkdirSync(directory);
  const path = join(directory, "keyd.sock");
  writeFileSync(path, "");
  return (directoryMode: number, mode: number) => {
    chmodSync(directory, directoryMode);
    const found = findClosedDirectory({ kind: "unix", path, mode, group: undefined, caller: undefined });
    return found === undefined ? "open" : found === directory ? "closed" : "elsewhere";
  };
}

const skip = process.platform !== "linux" && "its temporary directory is closed";

test("a socket for others is out of their reach in a directory that is its owner's alone", { skip }, (t) => {
  const reach = setUp(t);
  assert.equal(reach(0o700, 0o666), "closed");
  assert.equal(reach(0o710, 0o666), "closed");
  assert.equal(reach(0o711, 0o666), "open");
  assert.equal(reach(0o700, 0o660), "closed");
  assert.equal(reach(0o711, 0o660), "open");
});

test("a group gets through a directory that lets it through", { skip }, (t) => {
  assert.equal(setUp(t)(0o710, 0o660), "open");
});

test("a socket of its owner alone needs nobody let through", { skip }, (t) => {
  assert.equal(setUp(t)(0o700, 0o600), "open");
});
