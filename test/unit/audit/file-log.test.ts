import assert from "node:assert/strict";
import {
  appendFileSync,
  existsSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { describe, test } from "node:test";
import { acquireLock } from "../../../src/audit/lock.ts";
import { createLogBench, manyNumbered, numbered } from "../../fakes/audit-log.ts";

const eventsOf = (fields: readonly Readonly<Record<string, unknown>>[]) => fields.map(({ event }) => event);

describe("the audit log's file", () => {
  test("begins with the record that opens it, and verifies", async () => {
    using bench = createLogBench();
    const log = await bench.open();
    await log.commit([numbered(1)]);
    await log.close();
    assert.deepEqual(eventsOf(bench.fields()), ["opened", "config_refused", "checkpoint"]);
    const verification = await bench.verify();
    assert.deepEqual(verification.problems, []);
    assert.equal(verification.records, 3);
    assert.equal(verification.unsigned, 0);
  });

  test("is not begun in a directory that is missing, where a disk may not be mounted, and says so", async () => {
    using bench = createLogBench();
    const path = `${bench.path}-elsewhere/audit.jsonl`;
    await assert.rejects(acquireLock(`${path}.lock`, path), /there is no directory .*-elsewhere; make it/);
  });

  test("is its owner's alone, and so is the key", async () => {
    using bench = createLogBench();
    const log = await bench.open();
    await log.commit([numbered(1)]);
    await log.close();
    for (const path of [bench.path, `${bench.path}.key`, `${bench.path}.head`]) {
      assert.equal(statSync(path).mode & 0o777, 0o600, path);
    }
    assert.ok(existsSync(`${bench.path}.key.pub`));
  });

  test("is signed after so many records, and after so long", async () => {
    using bench = createLogBench();
    const log = await bench.open({ checkpoint: { records: 4, intervalMs: 1000 } });
    await log.commit(manyNumbered(0, 3));
    assert.equal(eventsOf(bench.fields()).at(-1), "checkpoint");
    await log.commit([numbered(3)]);
    assert.equal(eventsOf(bench.fields()).at(-1), "config_refused");
    bench.clock.advance(1000);
    await log.commit([numbered(4)]);
    assert.equal(eventsOf(bench.fields()).at(-1), "checkpoint");
    await log.commit([]);
    assert.equal(eventsOf(bench.fields()).filter((event) => event === "checkpoint").length, 2);
    await log.close();
  });

  test("goes on after a restart where it ended", async () => {
    using bench = createLogBench();
    for (const number of [1, 2, 3]) {
      const log = await bench.open();
      await log.commit([numbered(number)]);
      await log.close();
    }
    assert.deepEqual((await bench.verify()).problems, []);
    assert.equal(eventsOf(bench.fields()).filter((event) => event === "opened").length, 1);
  });

  test("carries the chain on into the next file, and keeps as many as it is told", async () => {
    using bench = createLogBench();
    const log = await bench.open({ maxFileBytes: 1000, keep: 3 });
    for (let number = 0; number < 40; number += 1) await log.commit([numbered(number)]);
    await log.close();
    const verification = await bench.verify();
    assert.deepEqual(verification.problems, []);
    assert.equal(verification.files, 4);
    assert.ok((verification.first?.seq ?? 0) > 1, "the oldest are gone");
  });

  for (const torn of ['{"seq":3,"prev":"00', "\0\0\0\0", "x"]) {
    test(`cuts off what a killed process left (${JSON.stringify(torn)}) and says so`, async () => {
      using bench = createLogBench();
      const before = await bench.open();
      await before.commit([numbered(1)]);
      await before.close();
      appendFileSync(bench.path, torn);
      assert.equal((await bench.verify()).ok, false);
      const log = await bench.open();
      await log.commit([numbered(2)]);
      await log.close();
      assert.deepEqual((await bench.verify()).problems, []);
      assert.ok(
        bench.fields().some((fields) => fields["event"] === "recovered" && fields["tornBytes"] === torn.length),
      );
    });
  }

  test("that is removed while it is written is begun anew, says so, and does not verify", async () => {
    using bench = createLogBench();
    const log = await bench.open();
    await log.commit([numbered(1)]);
    rmSync(bench.path);
    bench.clock.advance(20);
    await log.commit([numbered(2)]);
    await log.close();
    assert.deepEqual(
      bench
        .fields()
        .slice(0, 2)
        .map(({ event, reason }) => [event, reason]),
      [
        ["opened", "removed"],
        ["config_refused", undefined],
      ],
    );
    assert.match(bench.warnings.join(), /was removed by somebody else/);
    const { problems } = await bench.verify();
    assert.match(problems[0]?.problem ?? "", /the file before it was removed: records of it are gone/);
  });

  test("that an editor replaced is put aside, and the log goes on", async () => {
    using bench = createLogBench();
    const log = await bench.open();
    await log.commit([numbered(1)]);
    const edited = readFileSync(bench.path);
    rmSync(bench.path);
    writeFileSync(bench.path, edited);
    bench.clock.advance(20);
    await log.commit([numbered(2)]);
    await log.close();
    assert.deepEqual(bench.fields()[0]?.["reason"], "removed");
    const [aside = ""] = bench.warnings.flatMap((warning) => /which is now (.*)$/.exec(warning)?.[1] ?? []);
    assert.deepEqual(readFileSync(aside), edited);
  });

  test("that is moved by a log rotation verifies together with the one that was moved", async () => {
    using bench = createLogBench();
    const log = await bench.open();
    await log.commit([numbered(1)]);
    renameSync(bench.path, `${bench.path}.000001`);
    // As logrotate does.
    writeFileSync(bench.path, "", { mode: 0o640 });
    bench.clock.advance(20);
    await log.commit([numbered(2)]);
    await log.commit([numbered(3)]);
    await log.close();
    const verification = await bench.verify();
    assert.deepEqual(verification.problems, []);
    assert.equal(verification.files, 2);
    assert.equal(statSync(bench.path).mode & 0o777, 0o640);
  });

  test("that somebody cut while it is written says so", async () => {
    using bench = createLogBench();
    const log = await bench.open();
    await log.commit(manyNumbered(0, 3));
    truncateSync(bench.path, 100);
    bench.clock.advance(20);
    await log.commit([numbered(4)]);
    await log.commit([numbered(5)]);
    await log.close();
    assert.ok(bench.lines().some((line) => line.includes('"event":"file_changed"')));
    assert.equal((await bench.verify()).ok, false);
  });

  test("that was cut at a whole record while no server ran is put aside, and the next says so", async () => {
    using bench = createLogBench();
    const before = await bench.open();
    await before.commit(manyNumbered(0, 5));
    await before.close();
    const kept = Buffer.byteLength(bench.lines().slice(0, 3).join("\n")) + 1;
    truncateSync(bench.path, kept);
    const log = await bench.open();
    await log.commit([numbered(9)]);
    await log.close();
    assert.equal(bench.fields()[0]?.["reason"], "truncated");
    assert.match((await bench.verify()).problems[0]?.problem ?? "", /records are missing/);
  });

  test("that was removed while no server ran goes on from its head", async () => {
    using bench = createLogBench();
    const before = await bench.open();
    await before.commit(manyNumbered(0, 5));
    await before.close();
    rmSync(bench.path);
    const log = await bench.open();
    await log.commit([numbered(9)]);
    await log.close();
    assert.deepEqual([bench.fields()[0]?.["reason"], bench.fields()[0]?.["seq"]], ["removed", 8]);
    assert.equal((await bench.verify()).ok, false);
  });

  test("that is no audit log at all is put aside", async () => {
    using bench = createLogBench();
    appendFileSync(bench.path, "a shopping list\nbread\n");
    const log = await bench.open();
    await log.commit([numbered(1)]);
    await log.close();
    assert.equal(bench.fields()[0]?.["reason"], "damaged");
    assert.equal(bench.lines(`${bench.path}.000001`)[0], "a shopping list");
  });
});
