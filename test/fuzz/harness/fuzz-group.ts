import assert from "node:assert/strict";
import { randomInt } from "node:crypto";
import { test } from "node:test";
import { type TargetGroup, targetsOf } from "../targets.ts";
import { runTarget } from "./run-target.ts";
import { FuzzFind } from "./target.ts";

// FUZZ_SEED, FUZZ_SECONDS and FUZZ_TARGET repeat, prolong or narrow a run; `npm run fuzz` has more to choose.
const seed = Number(process.env["FUZZ_SEED"] ?? randomInt(2 ** 31));
const SECONDS = Number(process.env["FUZZ_SECONDS"] ?? 2);
const ONLY = process.env["FUZZ_TARGET"];
const HANG_MS = 20_000;

/** A test for each target of a group: the whole corpus, and then new inputs for a moment. */
export function fuzzGroup(group: TargetGroup): void {
  for (const target of targetsOf(group).filter((name) => ONLY === undefined || name === ONLY)) {
    test(`${target}: nothing that must hold is broken by any bytes`, async (t) => {
      t.diagnostic(`FUZZ_SEED=${seed}`);
      const run = { target, seed, executions: Number.POSITIVE_INFINITY, durationMs: SECONDS * 1000, hangMs: HANG_MS };
      const { executions, behaviours } = await runTarget(run).catch(describeFind);
      t.diagnostic(`${executions} executions, ${behaviours} kinds of behaviour`);
      assert.ok(behaviours > 1, "whatever the bytes, the same was seen: this target shows nothing");
    });
  }
}

function describeFind(thrown: unknown): never {
  if (!(thrown instanceof FuzzFind)) throw thrown;
  assert.fail(`${thrown.message}\ninput, base64: ${thrown.input.toString("base64")}`);
}
