import assert from "node:assert/strict";
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { systemFileSystem } from "../../../src/audit/file-system.ts";
import { findLogFiles } from "../../../src/audit/log-files.ts";
import { parsePublicKey } from "../../../src/audit/signing-key.ts";
import { verifyLog } from "../../../src/audit/verify.ts";
import { createLogBench, type LogBench, manyNumbered } from "../../fakes/audit-log.ts";
import { createRandom } from "../../fakes/random.ts";
import { type Files, TAMPERINGS } from "./tampering.ts";

// TAMPER_SEED and TAMPER_RUNS repeat or prolong a run.
const SEED = Number(process.env["TAMPER_SEED"] ?? Date.now() % 2 ** 31);
const RUNS = Number(process.env["TAMPER_RUNS"] ?? 1000);

async function writeLog(bench: LogBench): Promise<Files> {
  const log = await bench.open({ maxFileBytes: 4000, keep: 10 });
  for (let batch = 0; batch < 20; batch += 1) await log.commit(manyNumbered(batch * 3, 3));
  await log.close();
  return new Map(readdirSync(bench.directory).map((name) => [name, readFileSync(join(bench.directory, name))]));
}

function layOut(bench: LogBench, files: Files): void {
  for (const name of readdirSync(bench.directory)) rmSync(join(bench.directory, name));
  for (const [name, bytes] of files) writeFileSync(join(bench.directory, name), bytes);
}

function isSame(one: Files, other: Files): boolean {
  return one.size === other.size && [...one].every(([name, bytes]) => other.get(name)?.equals(bytes) === true);
}

test(`${RUNS} random tamperings are all found (TAMPER_SEED=${SEED})`, async () => {
  using bench = createLogBench();
  const original = await writeLog(bench);
  const publicKey = parsePublicKey(original.get("audit.jsonl.key.pub")?.toString("utf8") ?? "") ?? assert.fail();
  const verify = async () => {
    const files = await findLogFiles(systemFileSystem, [bench.path]);
    return await verifyLog(systemFileSystem, files, { publicKeys: [publicKey], expectedHead: undefined });
  };
  assert.deepEqual((await verify()).problems, []);
  assert.ok(original.size >= 7, "several files");

  const random = createRandom(SEED);
  const missed: string[] = [];
  const done = new Map<string, number>();
  for (let run = 0; run < RUNS; ) {
    const tampering = TAMPERINGS[run % TAMPERINGS.length] ?? assert.fail();
    const files = new Map(original);
    tampering.apply(files, random);
    // Exchanged for itself, or changed to what it was: nothing was tampered with.
    if (isSame(files, original)) continue;
    layOut(bench, files);
    const { ok, problems } = await verify();
    if (ok || problems[0] === undefined) missed.push(`${tampering.name}, run ${run}`);
    done.set(tampering.name, (done.get(tampering.name) ?? 0) + 1);
    run += 1;
  }
  assert.deepEqual(missed, []);
  assert.equal(done.size, TAMPERINGS.length);
});
