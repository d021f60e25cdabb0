import { spawnSync } from "node:child_process";
import { randomInt } from "node:crypto";
import { parseArgs } from "node:util";

/**
 * What takes too long for every change: the refresher's model over a million random schedules, then the refresher
 * with each of its properties broken on purpose, which its tests must notice.
 *
 *   npm run test:long
 *   npm run test:long -- --schedules 200000
 *
 * A failure prints its seed; `SEED=… SCHEDULES=… node --test test/property/credentials` runs the same again.
 */
const DEFAULT_SCHEDULES = 1_000_000;
/** One process each: small enough to show progress, large enough that starting it does not count. */
const SCHEDULES_PER_PROCESS = 25_000;
const MODEL_TEST = "test/property/credentials/refreshing-model.test.ts";

function main(): void {
  const { values } = parseArgs({ options: { schedules: { type: "string" }, mutations: { type: "boolean" } } });
  const total = Number(values.schedules ?? DEFAULT_SCHEDULES);
  if (values.mutations !== true) runSchedules(total);
  run("mutations of the refresher", ["scripts/mutate-refresher.ts"], {});
}

function runSchedules(total: number): void {
  const startedMs = performance.now();
  for (let done = 0; done < total; done += SCHEDULES_PER_PROCESS) {
    const seed = randomInt(2 ** 31);
    const count = Math.min(SCHEDULES_PER_PROCESS, total - done);
    const variables = { SEED: String(seed), SCHEDULES: String(count) };
    run(`schedules with seed ${seed}`, ["--test", "--test-reporter=dot", MODEL_TEST], variables);
    const seconds = Math.round((performance.now() - startedMs) / 1000);
    process.stdout.write(`${done + count} of ${total} schedules hold, seed ${seed}, ${seconds} s\n`);
  }
}

function run(what: string, args: readonly string[], variables: Readonly<Record<string, string>>): void {
  const { status } = spawnSync(process.execPath, args, {
    stdio: ["ignore", "inherit", "inherit"],
    env: { ...process.env, METADATA_SERVER_DETECTION: "none", ...variables },
  });
  if (status === 0) return;
  process.stdout.write(`failed: ${what}\n`);
  process.exit(1);
}

main();
