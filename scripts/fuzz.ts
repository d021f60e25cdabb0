import { randomInt } from "node:crypto";
import { parseArgs } from "node:util";
import { keepInput } from "../test/fuzz/harness/corpus.ts";
import { runTarget } from "../test/fuzz/harness/run-target.ts";
import { FuzzFind } from "../test/fuzz/harness/target.ts";
import { shareOf, TARGET_NAMES } from "../test/fuzz/targets.ts";

/**
 * Feeds everything that takes bytes from outside with what mutations make of the corpus.
 *
 *   npm run fuzz
 *   npm run fuzz -- --executions 10000000          spread over all targets by what one costs
 *   npm run fuzz -- --target jwt --minutes 5
 *   npm run fuzz -- --target jwt --seed 7          the same inputs again
 *   npm run fuzz -- --keep                         inputs that show something new go into the corpus
 *
 * An input after which something does not hold goes into the corpus in any case: there it is the first of the next run.
 */
const DEFAULT_EXECUTIONS = 1_000_000;
const HANG_MS = 60_000;

async function main(): Promise<void> {
  const text = { type: "string" } as const;
  const options = { target: text, executions: text, minutes: text, seed: text, keep: { type: "boolean" } } as const;
  const { values } = parseArgs({ options });
  const names = values.target === undefined ? TARGET_NAMES : [values.target];
  const total = Number(
    values.executions ?? (values.minutes === undefined ? DEFAULT_EXECUTIONS : Number.POSITIVE_INFINITY),
  );
  const durationMs =
    values.minutes === undefined ? Number.POSITIVE_INFINITY : (Number(values.minutes) * 60_000) / names.length;
  let [executions, finds] = [0, 0];
  for (const target of names) {
    const seed = Number(values.seed ?? randomInt(2 ** 31));
    const share = names.length === 1 ? total : shareOf(target, total);
    const done = await fuzzOne({ target, seed, executions: share, durationMs, keep: values.keep === true });
    executions += done.executions;
    finds += done.finds;
  }
  process.stdout.write(`${executions} executions over ${names.length} targets, ${finds} finds\n`);
  process.exitCode = finds === 0 ? 0 : 1;
}

interface Task {
  readonly target: string;
  readonly seed: number;
  readonly executions: number;
  readonly durationMs: number;
  readonly keep: boolean;
}

async function fuzzOne(task: Task): Promise<{ readonly executions: number; readonly finds: number }> {
  const startedMs = performance.now();
  const { target, keep } = task;
  let count = 0;
  try {
    const { executions, behaviours } = await runTarget({
      ...task,
      hangMs: HANG_MS,
      ...(keep && { onNew: (input: Buffer) => keepInput(target, input, "new") }),
      onProgress(done) {
        count = done;
        if (process.stdout.isTTY) process.stdout.write(`\r${target}: ${done} executions`);
      },
    });
    const seconds = ((performance.now() - startedMs) / 1000).toFixed(1);
    const clear = process.stdout.isTTY ? "\r\x1b[K" : "";
    process.stdout.write(
      `${clear}${target}: ${executions} executions, ${behaviours} behaviours, ${seconds} s, seed ${task.seed}\n`,
    );
    return { executions, finds: 0 };
  } catch (thrown) {
    if (!(thrown instanceof FuzzFind)) throw thrown;
    process.stdout.write(`\nFIND ${thrown.message}\nkept as ${keepInput(target, thrown.input, "find")}\n`);
    return { executions: count, finds: 1 };
  }
}

await main();
