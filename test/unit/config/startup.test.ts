import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";

const LAZY = ["cli/check.ts", "cli/run-explain.ts", "config/load.ts", "config/locate.ts", "config/default-config.ts"];

test("no command pays for zod and yaml before it has a config to read", () => {
  const program = `
    const { registerHooks } = await import("node:module");
    const seen = [];
    registerHooks({ resolve(name, context, next) { if (/^(zod|yaml)$/.test(name)) seen.push(name); return next(name, context); } });
    for (const file of process.argv.slice(1)) await import(file);
    process.stdout.write(seen.join());`;
  const files = LAZY.map((file) => new URL(`../../../src/${file}`, import.meta.url).href);
  const run = (list: readonly string[]) =>
    execFileSync(process.execPath, ["--input-type=module", "-e", program, ...list], {
      encoding: "utf8",
      timeout: 20_000,
    });
  assert.equal(run(files), "");
  assert.match(run([new URL("../../../src/config/parse.ts", import.meta.url).href]), /zod/);
});
