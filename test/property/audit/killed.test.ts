import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { appendFileSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { createLogBench, type LogBench, numbered } from "../../fakes/audit-log.ts";
import { createRandom } from "../../fakes/random.ts";

// KILL_SEED and KILLS repeat or prolong a run.
const SEED = Number(process.env["KILL_SEED"] ?? Date.now() % 2 ** 31);
const KILLS = Number(process.env["KILLS"] ?? 20);
const WRITER = fileURLToPath(new URL("../../fakes/audit-writer.ts", import.meta.url));

/** @returns the numbers of the records that it said were safe before it was killed */
async function writeUntilKilled(path: string, first: number, acknowledgements: number): Promise<readonly number[]> {
  const writer = spawn(process.execPath, [WRITER, path, String(first)], { stdio: ["ignore", "pipe", "inherit"] });
  let output = "";
  writer.stdout.setEncoding("utf8").on("data", (text: string) => {
    output += text;
    if (output.split("\n").length > acknowledgements) writer.kill("SIGKILL");
  });
  const { promise, resolve } = Promise.withResolvers<void>();
  writer.once("close", () => resolve());
  await promise;
  // A line that has no end was not said.
  return output.split("\n").slice(0, -1).map(Number);
}

function numbersIn(bench: LogBench): ReadonlySet<number> {
  const files = readdirSync(bench.directory).filter((name) => /^audit\.jsonl(\.\d+)?$/.test(name));
  const problems = files
    .flatMap((name) => bench.fields(join(bench.directory, name)))
    .map(({ problem }) => String(problem));
  return new Set(problems.map((problem) => Number(/^number (\d+) /.exec(problem)?.[1] ?? -1)));
}

test(`a log whose writer is killed ${KILLS} times has all that was said to be safe (KILL_SEED=${SEED})`, async () => {
  using bench = createLogBench();
  const random = createRandom(SEED);
  const safe: number[] = [];
  for (let kill = 0; kill < KILLS; kill += 1) {
    safe.push(...(await writeUntilKilled(bench.path, kill * 1_000_000, 1 + random(400))));
    // A kill seldom falls within a write: so what a power failure in one leaves is put there as well.
    if (kill % 2 === 1) appendFileSync(bench.path, '{"seq":99,"prev":"0123'.slice(0, 1 + random(22)));
    // A kill between two files leaves the next to be made here, which must not make room for it.
    const log = await bench.open({ keep: 1000 });
    await log.commit([numbered(kill)]);
    await log.close();
    assert.deepEqual((await bench.verify()).problems, [], `after kill ${kill}`);
  }
  const found = numbersIn(bench);
  assert.ok(safe.length > KILLS);
  assert.deepEqual(
    safe.filter((number) => !found.has(number)),
    [],
  );
});

test("a log cut at any byte of its last, unsigned record is mended, and loses that record alone", async () => {
  using bench = createLogBench();
  const before = await bench.open();
  await before.commit([numbered(1)]);
  await before.close();
  const signed = readFileSync(bench.path);
  const head = readFileSync(`${bench.path}.head`);
  const torn = await bench.open();
  await torn.commit([numbered(2)]);
  const whole = readFileSync(bench.path);
  await torn.close();
  for (let bytes = whole.length - 1; bytes > signed.length; bytes -= 5) {
    writeFileSync(bench.path, whole.subarray(0, bytes));
    writeFileSync(`${bench.path}.head`, head);
    const next = await bench.open();
    await next.commit([numbered(3)]);
    await next.close();
    const events = bench.fields().map(({ event }) => event);
    assert.deepEqual(
      events.slice(2),
      ["checkpoint", "recovered", "config_refused", "checkpoint"],
      `cut to ${bytes} bytes`,
    );
    assert.deepEqual((await bench.verify()).problems, []);
  }
});
