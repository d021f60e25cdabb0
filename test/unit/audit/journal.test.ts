import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createJournal } from "../../../src/audit/journal.ts";
import { manyNumbered, numbered } from "../../fakes/audit-log.ts";
import { createFakeClock, settle } from "../../fakes/clock.ts";
import { createInMemoryLog } from "../../fakes/in-memory-log.ts";

function setUp() {
  const clock = createFakeClock();
  const log = createInMemoryLog();
  const warnings: string[] = [];
  const infos: string[] = [];
  const published: string[] = [];
  const journal = createJournal(log, {
    clock,
    timeoutMs: () => 1000,
    checkpointIntervalMs: () => 10_000,
    warn: (message) => warnings.push(message),
    info: (message) => infos.push(message),
    published: (lines) => published.push(...lines),
  });
  return { clock, log, journal, warnings, infos, published };
}

const UNAVAILABLE = { code: "audit_unavailable" };

describe("the journal", () => {
  test("writes all that comes while it writes with the next batch", async () => {
    const { journal, log, published } = setUp();
    log.hold();
    const first = journal.write(numbered(0));
    await settle();
    const others = manyNumbered(1, 50).map((event) => journal.write(event));
    log.letGo();
    await Promise.all([first, ...others]);
    assert.deepEqual(log.batches, [1, 50]);
    assert.deepEqual(log.events, manyNumbered(0, 51));
    assert.equal(published.length, 51);
  });

  test("lets a call go when its record took too long, and takes back what was not so", async () => {
    const { journal, log, clock } = setUp();
    log.hold();
    const inFlight = assert.rejects(journal.write(numbered(0)), UNAVAILABLE);
    await settle();
    const taken = assert.rejects(journal.write(numbered(1)), UNAVAILABLE);
    journal.note(numbered(2));
    await clock.pass(1000);
    await Promise.all([inFlight, taken]);
    log.letGo();
    await journal.close();
    assert.deepEqual(log.events, [numbered(0), numbered(2)]);
  });

  test("lets nobody wait for a time limit where writing fails, and tells the operator once", async () => {
    const { journal, log, warnings } = setUp();
    log.failWith = "ENOSPC";
    await assert.rejects(journal.write(numbered(0)), /audit log is not to be had: it cannot be written \(ENOSPC\)/);
    await assert.rejects(journal.write(numbered(1)), UNAVAILABLE);
    await assert.rejects(journal.write(numbered(2)), UNAVAILABLE);
    assert.equal(warnings.length, 1);
    assert.match(warnings[0] ?? "", /ENOSPC/);
    assert.deepEqual(journal.state, { broken: "ENOSPC", lost: 0, failures: 1 });
  });

  test("writes again as soon as it can, with all that was kept", async () => {
    const { journal, log, clock, infos } = setUp();
    log.failWith = "ENOSPC";
    await assert.rejects(journal.write(numbered(0)), UNAVAILABLE);
    for (const event of manyNumbered(1, 2)) journal.note(event);
    await clock.pass(5000);
    assert.ok(journal.state.failures > 3, "it went on trying");
    log.failWith = undefined;
    await clock.pass(1000);
    assert.deepEqual(log.events, [numbered(1), numbered(2)]);
    assert.match(infos[0] ?? "", /can be written again/);
    await Promise.all([journal.write(numbered(3)), clock.pass(1)]);
  });

  test("drops the oldest where it can keep no more, and says how many there were", async () => {
    const { journal, log, clock } = setUp();
    log.failWith = "EIO";
    journal.note(numbered(0));
    await settle();
    for (const event of manyNumbered(1, 10_004)) journal.note(event);
    assert.equal(journal.state.lost, 5);
    log.failWith = undefined;
    await clock.pass(1000);
    const [first, second] = log.events;
    assert.deepEqual(first?.event === "lost" ? first.records : first, 5);
    assert.deepEqual(second, numbered(5));
    assert.equal(log.events.length, 10_001);
  });

  test("goes on in another log without failing who waits", async () => {
    const { journal, log } = setUp();
    const next = createInMemoryLog();
    log.hold();
    const before = journal.write(numbered(0));
    await settle();
    const replaced = journal.replace(() => Promise.resolve(next));
    const meanwhile = journal.write(numbered(1));
    log.letGo();
    await Promise.all([before, replaced, meanwhile]);
    assert.ok(log.closed);
    await journal.write(numbered(2));
    assert.deepEqual([log.events, next.events], [manyNumbered(0, 2), [numbered(2)]]);
  });

  test("takes what a broken log could not be given into the next", async () => {
    const { journal, log } = setUp();
    const next = createInMemoryLog();
    log.failWith = "EIO";
    journal.note(numbered(0));
    await assert.rejects(journal.write(numbered(1)), UNAVAILABLE);
    await journal.replace(() => Promise.resolve(next));
    await journal.write(numbered(2));
    assert.deepEqual(next.events, [numbered(0), numbered(2)]);
  });

  test("writes what is queued before it closes, and nothing after", async () => {
    const { journal, log } = setUp();
    journal.note(numbered(0));
    await journal.close();
    journal.note(numbered(1));
    await assert.rejects(journal.write(numbered(2)), UNAVAILABLE);
    assert.deepEqual(log.events, [numbered(0)]);
    assert.ok(log.closed);
  });

  test("asks for a signature some time after the last record, and not again without another", async () => {
    const { journal, log, clock } = setUp();
    journal.note(numbered(0));
    await settle();
    await clock.pass(10_000);
    await clock.pass(60_000);
    assert.deepEqual(log.batches, [1, 0]);
  });

  test("keeps a record that nobody waits for until somebody does, and no longer than a moment", async () => {
    const { journal, log, clock } = setUp();
    journal.note(numbered(0));
    await settle();
    assert.deepEqual(log.batches, []);
    await journal.write(numbered(1));
    journal.note(numbered(2));
    await clock.pass(10);
    assert.deepEqual(log.batches, [2, 1]);
  });

  test("takes no more calls while writing fails, until a write has succeeded", async () => {
    const { journal, log, clock } = setUp();
    journal.assertWritable();
    log.failWith = "EIO";
    await assert.rejects(journal.write(numbered(0)), UNAVAILABLE);
    assert.throws(() => journal.assertWritable(), /it cannot be written \(EIO\)/);
    log.failWith = undefined;
    log.hold();
    await clock.pass(50);
    assert.throws(() => journal.assertWritable(), UNAVAILABLE, "while it is tried again");
    log.letGo();
    await settle();
    journal.assertWritable();
  });

  test("takes no more calls while a write hangs for longer than the time limit", async () => {
    const { journal, log, clock } = setUp();
    log.hold();
    const hung = assert.rejects(journal.write(numbered(0)), UNAVAILABLE);
    await clock.pass(900);
    journal.assertWritable();
    await clock.pass(101);
    assert.throws(() => journal.assertWritable(), /it took longer than 1000 ms/);
    await hung;
    log.letGo();
    await settle();
    journal.assertWritable();
  });

  test("does not call a record safe where one before it was dropped", async () => {
    const { journal, log, clock } = setUp();
    const intent = journal.note(numbered(0));
    log.failWith = "EIO";
    await clock.pass(10);
    for (const event of manyNumbered(1, 10_000)) journal.note(event);
    log.failWith = undefined;
    await clock.pass(1000);
    await assert.rejects(journal.write(numbered(10_001), intent), UNAVAILABLE);
  });
});
