import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";

const LOG = join(import.meta.dirname, "../../../src/telemetry/log.ts");

/** Runs a program that has a `log`, and counts its writes to stderr. */
function runWithLog(body: string) {
  const program = `
    import { createLog } from ${JSON.stringify(LOG)};
    let writes = 0;
    const write = process.stderr.write.bind(process.stderr);
    process.stderr.write = (text) => { writes += 1; return write(text); };
    const log = createLog("info", false);
    ${body}
    process.once("exit", () => process.stdout.write(String(writes)));
  `;
  const { stdout, stderr, status } = spawnSync(process.execPath, ["--input-type=module", "--eval", program], {
    encoding: "utf8",
    timeout: 30_000,
  });
  const lines = stderr.split("\n").filter((line) => line.startsWith("{"));
  return { writes: stdout, status, lines: lines.map((line) => JSON.parse(line) as Record<string, unknown>) };
}

test("what is logged in one turn is written at once, a line each, in order", () => {
  const { lines, writes } = runWithLog('for (let n = 0; n < 50; n++) log.info("answered", { n });');
  assert.deepEqual(
    lines.map(({ n }) => n),
    Array.from({ length: 50 }, (_, n) => n),
  );
  assert.equal(writes, "1");
});

test("a line has time, level and message first, and its fields as they are", () => {
  const { lines } = runWithLog('log.warn("late", { key: "a\\nb", took: 1.5, left: undefined });');
  const [{ timestamp, ...line } = {}] = lines;
  assert.match(String(timestamp), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  assert.deepEqual(line, { level: "warn", message: "late", key: "a\nb", took: 1.5 });
});

test("what was logged just before the process exits or fails is not lost", () => {
  const exited = runWithLog('log.info("last"); process.exit(3);');
  assert.deepEqual([exited.lines.length, exited.status], [1, 3]);
  const failed = runWithLog('log.error("last"); throw new Error("no");');
  assert.deepEqual([failed.lines.length, failed.status], [1, 1]);
});

test("a flood within one turn is not kept back without bound", () => {
  const { lines, writes } = runWithLog(
    'for (let n = 0; n < 400; n++) log.info("answered", { text: "x".repeat(1000) });',
  );
  assert.equal(lines.length, 400);
  assert.ok(Number(writes) > 1);
});
