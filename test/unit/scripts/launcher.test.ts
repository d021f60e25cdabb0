import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";

const LAUNCHER = fileURLToPath(new URL("../../../scripts/sops-keyd", import.meta.url));
const NOW_S = Date.now() / 1_000;

/** A checkout whose Node.js only says what it was to run. */
function createCheckout(t: TestContext) {
  const root = mkdtempSync(join(tmpdir(), "checkout-"));
  t.after(() => rmSync(root, { recursive: true }));
  const write = (name: string, text: string, mode = 0o644) => {
    mkdirSync(dirname(join(root, name)), { recursive: true });
    writeFileSync(join(root, name), text, { mode });
  };
  write("scripts/setup", "#!/bin/sh\n", 0o755);
  write("node_modules/.bin/node", '#!/bin/sh\nfor last in "$@"; do :; done\necho "$last"\n', 0o755);
  for (const name of ["src/main.ts", "src/deep/file.ts", "proto/keyservice.proto", "package.json"]) write(name, "");
  copyFileSync(LAUNCHER, join(root, "scripts/sops-keyd"));
  const age = (name: string, seconds: number) => utimesSync(join(root, name), NOW_S - seconds, NOW_S - seconds);
  for (const name of [
    "src",
    "src/deep",
    "proto",
    "src/main.ts",
    "src/deep/file.ts",
    "proto/keyservice.proto",
    "package.json",
  ])
    age(name, 100);
  const run = () =>
    spawnSync(join(root, "scripts/sops-keyd"), { encoding: "utf8" })
      .stdout.trim()
      .slice(root.length + 1);
  return { root, write, age, run };
}

describe("scripts/sops-keyd", () => {
  test("starts the bundle as long as it is newer than every source", (t) => {
    const { write, run } = createCheckout(t);
    write("dist/main.js", "");
    assert.equal(run(), "dist/main.js");
  });

  test("starts the sources where there is no bundle", (t) => {
    assert.equal(createCheckout(t).run(), "src/main.ts");
  });

  for (const changed of ["src/deep/file.ts", "src/deep", "proto/keyservice.proto", "package.json"]) {
    test(`starts the sources once ${changed} was changed after the bundle was made`, (t) => {
      const { write, age, run } = createCheckout(t);
      write("dist/main.js", "");
      age("dist/main.js", 50);
      age(changed, 10);
      assert.equal(run(), "src/main.ts");
    });
  }
});
