import assert from "node:assert/strict";
import { type ServiceError, status } from "@grpc/grpc-js";
import type { Operation } from "../../../src/config/config.ts";

/** How a call ended, as its caller sees it. */
export type Outcome =
  | { readonly ok: true; readonly bytes: Buffer; readonly tookMs: number }
  | { readonly ok: false; readonly status: StatusName; readonly message: string; readonly tookMs: number };

export type StatusName = keyof typeof status;

export function failureOf({ code, details }: ServiceError, tookMs: number): Outcome {
  return { ok: false, status: status[code] as StatusName, message: details, tookMs };
}

export interface CalledFor {
  readonly operation: Operation;
  readonly key: string;
  readonly deadlineMs: number;
  /** What a call that is OK must have handed out; undefined where nobody can know, as with a new ciphertext. */
  readonly right: Buffer | undefined;
}

/**
 * What holds for every call whatever went wrong: it ended in time; it is OK and right, or it failed and its user reads
 * why, for which key and rule, and what to do.
 */
export function assertHonest(outcome: Outcome, { operation, key, deadlineMs, right }: CalledFor): void {
  const what = `${operation} of ${key}: ${JSON.stringify(outcome)}`;
  assert.ok(outcome.tookMs <= deadlineMs, `it took longer than its deadline: ${what}`);
  if (outcome.ok) {
    assert.ok(outcome.bytes.length > 0, `OK and empty: ${what}`);
    if (right !== undefined) assert.deepEqual(outcome.bytes, right, `OK and wrong: ${what}`);
    return;
  }
  for (const part of [`key: ${key}`, "rule: ", "to do: "]) {
    assert.ok(outcome.message.includes(part), `it does not say "${part}": ${what}`);
  }
}
