import assert from "node:assert/strict";
import { test } from "node:test";
import { callerAt } from "../../../src/access/caller.ts";
import { createAudit } from "../../../src/audit/audit.ts";
import { createJournal } from "../../../src/audit/journal.ts";
import type { AuditEvent } from "../../../src/audit/record.ts";
import { KeyServiceError } from "../../../src/core/errors.ts";
import { createFakeClock, settle } from "../../fakes/clock.ts";
import { createInMemoryLog } from "../../fakes/in-memory-log.ts";

const ANSWER = { rule: "r", source: "s" };
const BYTES = Buffer.from("bytes");
const UNAVAILABLE = { code: "audit_unavailable" };

function setUp(required: boolean) {
  const clock = createFakeClock();
  const log = createInMemoryLog();
  const journal = createJournal(log, {
    clock,
    timeoutMs: () => 1000,
    checkpointIntervalMs: () => 10_000,
    warn() {},
    info() {},
    published() {},
  });
  const key = { publicKey: "", created: false, sign: () => "", fingerprint: () => "f" };
  const audit = createAudit({ journal, required, key, clock, configHash: () => "c".repeat(64) });
  const begin = () => {
    const call = { requestId: "1", operation: "decrypt", key: "k", caller: () => callerAt("unix:///x", "a") } as const;
    return audit.begin(call, BYTES);
  };
  return { clock, log, journal, audit, begin };
}

function told(events: readonly AuditEvent[]): readonly string[] {
  return events.map((event) => {
    if (event.event === "decision") return `decision ${event.decision}`;
    return event.event === "outcome" ? `outcome ${event.outcome}` : event.event;
  });
}

test("both records of a required call are safe before its answer, by one write", async () => {
  const { begin, log } = setUp(true);
  const account = begin();
  account.allowed("r", "s");
  await settle();
  assert.deepEqual(log.batches, [], "Cloud KMS is asked meanwhile");
  await account.answered(ANSWER, BYTES, 1);
  assert.deepEqual(told(log.events), ["decision allowed", "outcome ok"]);
  assert.deepEqual(log.batches, [2]);
});

test("a call whose answer takes its time is on record before", async () => {
  const { begin, log, clock } = setUp(true);
  begin().allowed("r", "s");
  await clock.pass(10);
  assert.deepEqual(told(log.events), ["decision allowed"]);
});

test("while records cannot be written a required call is refused before any work, and another goes on", async () => {
  for (const required of [true, false]) {
    const { begin, log, journal } = setUp(required);
    log.failWith = "ENOSPC";
    await assert.rejects(journal.write({ event: "stopped", time: "" }), UNAVAILABLE);
    const account = begin();
    if (required) assert.throws(() => account.allowed("r", "s"), UNAVAILABLE);
    else account.allowed("r", "s");
  }
});

test("a call whose answer cannot be recorded is not on record as answered", async () => {
  const { begin, log, clock } = setUp(true);
  const account = begin();
  account.allowed("r", "s");
  log.failWith = "ENOSPC";
  await assert.rejects(Promise.resolve(account.answered(ANSWER, BYTES, 1)), UNAVAILABLE);
  account.failed(new KeyServiceError("audit_unavailable", { problem: "p", remedy: "r" }), 1);
  log.failWith = undefined;
  await clock.pass(1000);
  assert.deepEqual(told(log.events), ["decision allowed", "outcome audit_unavailable"]);
});

test("who approved a call stands in its decision and in its outcome, whatever that is", async () => {
  const { begin, log, clock } = setUp(false);
  const answered = begin();
  answered.allowed("r", "s", "terminal");
  await answered.answered(ANSWER, BYTES, 1);
  const failed = begin();
  failed.allowed("r", "s", "command");
  failed.failed(new KeyServiceError("kms_unavailable", { problem: "p", remedy: "r" }), 1);
  begin().allowed("r", "s");
  await clock.pass(10);
  const approvals = log.events.map((event) => ("approvedBy" in event ? event.approvedBy : undefined));
  assert.deepEqual(approvals, ["terminal", "terminal", "command", "command", undefined]);
});
