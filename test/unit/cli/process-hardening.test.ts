import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";

const MODULE = new URL("../../../src/cli/process-hardening.ts", import.meta.url).href;

/** In a process of its own: what it does cannot be taken back. */
function inProcess(code: string): string {
  const script = `import { hardenProcess } from ${JSON.stringify(MODULE)};
    const { prctl } = process.getBuiltinModule("node:ffi")
      .dlopen(null, { prctl: { arguments: ["i32", "u64", "u64", "u64", "u64"], return: "i32" } }).functions;
    const isDumpable = () => prctl(3, 0n, 0n, 0n, 0n);
    ${code}`;
  const { stdout, stderr } = spawnSync(process.execPath, ["--input-type=module", "--eval", script], {
    encoding: "utf8",
  });
  assert.doesNotMatch(stderr, /Error/);
  return stdout.trim();
}

const onLinux = { skip: process.platform === "linux" ? false : "prctl is Linux'" };

test("a hardened process can neither be dumped nor be read by others of its user", onLinux, () => {
  assert.equal(inProcess("console.log(isDumpable(), hardenProcess(), isDumpable())"), "1 [] 0");
});

test("a hardened process keeps its environment out of reports and writes none on its own", () => {
  const output = inProcess(`hardenProcess();
    const { reportOnSignal, reportOnFatalError, reportOnUncaughtException, excludeEnv } = process.report;
    console.log(reportOnSignal, reportOnFatalError, reportOnUncaughtException, excludeEnv);`);
  assert.equal(output, "false false false true");
});

test("a process that cannot be hardened in full says what is open and what to do", onLinux, () => {
  const withoutFfi = `process.getBuiltinModule = () => undefined; console.log(hardenProcess().join());`;
  assert.match(inProcess(withoutFfi), /^core dumps could not be switched off: set LimitCORE=0/);
});
