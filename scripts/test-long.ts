import { spawnSync } from "node:child_process";
import { randomInt } from "node:crypto";
import { parseArgs } from "node:util";

/**
 * What takes too long for every change: the refresher's model over a million random schedules, ten million calls of
 * Cloud KMS over a way that damages requests and answers, a hundred thousand audited calls on a failing disk, ten
 * million inputs for everything that takes bytes from outside, and then the code under all of it with each of its
 * properties broken on purpose, which the tests must notice.
 *
 *   npm run test:long
 *   npm run test:long -- --schedules 200000 --operations 0
 *   npm run test:long -- --mutations
 *
 * A failure prints its seed; `SEED=… SCHEDULES=… node --test test/property/credentials` and
 * `SEED=… OPERATIONS=… node --test test/property/kms` run the same again.
 */
interface Series {
  /** What one run is about, in the plural. */
  readonly what: string;
  /** The variable that says how many. */
  readonly variable: string;
  /** One process each: small enough to show progress, large enough that starting it does not count. */
  readonly perProcess: number;
  readonly test: string;
}

const SCHEDULES: Series = {
  what: "schedules",
  variable: "SCHEDULES",
  perProcess: 25_000,
  test: "test/property/credentials/refreshing-model.test.ts",
};
const OPERATIONS: Series = {
  what: "operations",
  variable: "OPERATIONS",
  perProcess: 250_000,
  test: "test/property/kms/integrity.test.ts",
};
const AUDITED_CALLS: Series = {
  what: "audited calls under faults",
  variable: "AUDIT_CALLS",
  perProcess: 25_000,
  test: "test/property/audit/required.test.ts",
};

function main(): void {
  const text = { type: "string" } as const;
  const { values } = parseArgs({
    options: { schedules: text, operations: text, "audited-calls": text, inputs: text, mutations: { type: "boolean" } },
  });
  if (values.mutations !== true) {
    runSeries(SCHEDULES, Number(values.schedules ?? 1_000_000));
    runSeries(OPERATIONS, Number(values.operations ?? 10_000_000));
    runSeries(AUDITED_CALLS, Number(values["audited-calls"] ?? 100_000));
    run("fuzzing", ["scripts/fuzz.ts", "--executions", values.inputs ?? "10000000"], {});
  }
  run("mutations of the refresher", ["scripts/mutate-refresher.ts"], {});
  run("mutations of what verifies answers", ["scripts/mutate-verification.ts"], {});
  run("mutations of what reads bytes from outside", ["scripts/mutate-fuzzed.ts"], {});
}

function runSeries({ what, variable, perProcess, test }: Series, total: number): void {
  const startedMs = performance.now();
  for (let done = 0; done < total; done += perProcess) {
    const seed = randomInt(2 ** 31);
    const count = Math.min(perProcess, total - done);
    run(`${what} with seed ${seed}`, ["--test", "--test-reporter=dot", test], {
      SEED: String(seed),
      [variable]: String(count),
    });
    const seconds = Math.round((performance.now() - startedMs) / 1000);
    process.stdout.write(`${done + count} of ${total} ${what} hold, seed ${seed}, ${seconds} s\n`);
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
