import assert from "node:assert/strict";
import type { Outcome } from "./child.ts";

/** @returns the outcome, for more to be asserted */
export function assertSucceeded(outcome: Outcome): Outcome {
  assert.equal(outcome.code, 0, `${outcome.stdout}\n${outcome.stderr}`);
  return outcome;
}

/** What sops printed, without its frame of bars and its line breaks at 60 columns. */
export function unwrapped(outcome: Outcome): string {
  return `${outcome.stdout}\n${outcome.stderr}`
    .split("\n")
    .map((line) => line.replace(/^\s*(?:\|\s?)?(?:-\s\|\s)?/, ""))
    .join(" ")
    .replace(/\s+/g, " ");
}
