import assert from "node:assert/strict";
import { unwrapped } from "./harness/assert-outcome.ts";
import { type Bench, type Keyd, testWithSops } from "./harness/bench.ts";
import type { Outcome } from "./harness/child.ts";
import { KEY } from "./harness/config.ts";
import { arrangeFailure, FAILURES, type Failure } from "./harness/failures.ts";

/** A rule's deadline is 10 s unless set; the rest is for sops to start on a busy machine. */
const LONGEST_MS = 15_000;

for (const failure of FAILURES) {
  testWithSops(`decrypt and edit tell when ${failure.when}, and leave the file as it was`, async (bench) => {
    const keyd = await arrangeFailure(bench, failure);
    const editor = bench.write("editor", '#!/bin/sh\necho spoiled >"$1"\n', 0o700);
    for (const args of [["decrypt"], ["decrypt", "-i"], ["edit"]]) {
      const outcome = await runUntouched(bench, keyd, [...args, "secret.yaml"], "secret.yaml", { EDITOR: editor });
      assertTold(outcome, failure, "decrypt");
    }
  });

  testWithSops(`encrypt tells when ${failure.when}, and leaves the file as it was`, async (bench) => {
    const keyd = await arrangeFailure(bench, failure);
    const args = ["encrypt", "--gcp-kms", failure.key ?? KEY, "-i", "plain.yaml"];
    assertTold(await runUntouched(bench, keyd, args, "plain.yaml"), failure, "encrypt");
  });
}

async function runUntouched(
  bench: Bench,
  keyd: Keyd,
  args: readonly string[],
  file: string,
  variables?: Readonly<Record<string, string>>,
): Promise<Outcome> {
  const before = bench.read(file);
  const startedAtMs = performance.now();
  const outcome = await bench.sops(keyd, args, variables);
  const tookMs = performance.now() - startedAtMs;
  assert.deepEqual(bench.read(file), before, "the file was changed");
  assert.ok(tookMs < LONGEST_MS, `sops ${args.join(" ")} took ${tookMs} ms`);
  return outcome;
}

function assertTold(outcome: Outcome, failure: Failure, operation: "encrypt" | "decrypt"): void {
  assert.notEqual(outcome.code, 0);
  assert.equal(outcome.stdout, "");
  const told = unwrapped(outcome);
  for (const part of [`code = ${failure.status} desc = `, ...failure.says(operation)]) {
    assert.ok(told.includes(part), `“${part}” is not in:\n${told}`);
  }
}
