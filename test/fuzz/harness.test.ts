import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { test } from "node:test";
import { readCorpus } from "./harness/corpus.ts";
import { fuzz } from "./harness/fuzz.ts";
import { FuzzFind, type Run, type Target } from "./harness/target.ts";
import { shareOf, TARGET_NAMES } from "./targets.ts";

function targetOf(run: Run): Target {
  return { name: "made-up", dictionary: ["bad", "good"], maxBytes: 100, open: () => ({ run }) };
}

async function inputsOf(seed: number): Promise<readonly string[]> {
  const inputs: string[] = [];
  const run: Run = (input) => {
    inputs.push(input.toString("hex"));
    return String(input.length);
  };
  const options = { corpus: [Buffer.from("seed")], seed, executions: 500, durationMs: 60_000 };
  await fuzz(targetOf(run), { run }, options);
  return inputs;
}

test("the same seed gives the same inputs, and another one others", async () => {
  assert.deepEqual(await inputsOf(7), await inputsOf(7));
  assert.notDeepEqual(await inputsOf(7), await inputsOf(8));
});

test("what does not hold is told with the input as it was, which the code may have changed since", async () => {
  const run: Run = (input) => {
    const isBad = input.includes("bad");
    input.fill(0);
    assert.ok(!isBad, "it was bad");
    return "good";
  };
  const options = { corpus: [], seed: 1, executions: 10_000, durationMs: 60_000 };
  await assert.rejects(fuzz(targetOf(run), { run }, options), (find) => {
    assert.ok(find instanceof FuzzFind);
    assert.match(find.message, /^made-up, execution \d+, seed 1: it was bad/);
    return find.input.includes("bad");
  });
});

test("an input that shows something new is mutated further: what is four steps away is found", async () => {
  const run: Run = (input) => {
    const right = [..."good"].findIndex((letter, index) => input[index] !== letter.charCodeAt(0));
    assert.notEqual(right, -1, "found");
    return `${right} right`;
  };
  const target = { ...targetOf(run), dictionary: [] };
  const options = { corpus: [Buffer.from("xxxx")], seed: 1, executions: 200_000, durationMs: 60_000 };
  await assert.rejects(fuzz(target, { run }, options), /found/);
});

test("every target has a corpus, and every corpus a target", () => {
  const folders = readdirSync(new URL("corpus", import.meta.url));
  assert.deepEqual(folders.toSorted(), TARGET_NAMES.toSorted());
  for (const name of TARGET_NAMES) assert.ok(readCorpus(name).length > 0, name);
});

test("a run's executions are spread over all targets", () => {
  const shares = TARGET_NAMES.map((name) => shareOf(name, 10_000_000));
  assert.ok(shares.every((share) => share > 1000));
  const sum = shares.reduce((total, share) => total + share, 0);
  assert.ok(sum >= 10_000_000 && sum < 10_000_000 + TARGET_NAMES.length);
});
