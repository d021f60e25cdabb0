import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { test } from "node:test";
import fc from "fast-check";
import { parseChainedLine, parseFields } from "../../src/audit/chain.ts";
import { systemFileSystem } from "../../src/audit/file-system.ts";
import { recordMatches } from "../../src/audit/filter.ts";
import { readLogLines } from "../../src/audit/follow.ts";
import { parseGlob } from "../../src/routing/glob.ts";
import { createLogBench, manyNumbered } from "../fakes/audit-log.ts";

// FUZZ_SEED and FUZZ_RUNS repeat or prolong a run.
const seed = Number(process.env["FUZZ_SEED"] ?? Date.now() % 2 ** 31);
const numRuns = Number(process.env["FUZZ_RUNS"] ?? 300);

const HEX = "0".repeat(64);
const fragments = [
  '{"seq":1,',
  `{"seq":1,"prev":"${HEX}",`,
  '"event":"opened","file":1,"oldest":1,"reason":"first","publicKey":"",',
  '"event":"checkpoint","file":1,',
  `,"signature":"${"A".repeat(86)}=="`,
  `,"hash":"${HEX}"}`,
  '{"seq":9007199254740993,',
  "\n",
  "\r\n",
  "\0",
  "\u{1f511}",
  "[".repeat(50),
  '"caller":{"names":[null]},',
  '"time":5,',
  "x".repeat(70_000),
];

const bytes = fc.oneof(
  fc.uint8Array({ maxLength: 400 }).map((array) => Buffer.from(array)),
  fc
    .array(fc.oneof(fc.constantFrom(...fragments), fc.string({ maxLength: 20 })), { maxLength: 40 })
    .map((parts) => Buffer.from(parts.join(""))),
);

test(`whatever is in an audit log, its readers come to an end and take none of it for whole (FUZZ_SEED=${seed})`, async () => {
  using bench = createLogBench();
  const log = await bench.open();
  await log.commit(manyNumbered(0, 20));
  await log.close();
  const good = Buffer.from(`${bench.lines().join("\n")}\n`);
  await fc.assert(
    fc.asyncProperty(bytes, fc.nat(good.length), fc.nat(200), async (strange, at, removed) => {
      const content = Buffer.concat([good.subarray(0, at), strange, good.subarray(at + removed)]);
      writeFileSync(bench.path, content);
      const { ok, records } = await bench.verify();
      assert.equal(ok, content.equals(good));
      let lines = 0;
      for await (const line of readLogLines(systemFileSystem, { paths: [bench.path], written: undefined })) {
        lines += 1;
        if (line.kind === "line") recordMatches(parseFields(line.bytes) ?? {}, { caller: "a", key: parseGlob("*") });
      }
      assert.ok(lines >= records);
    }),
    { seed, numRuns },
  );
});

test("a line of any bytes is a record or is not, and never both", () => {
  fc.assert(
    fc.property(bytes, (line) => {
      const parsed = parseChainedLine(line);
      if (parsed !== undefined) assert.ok(parsed.seq > 0 && parsed.hash.length === 64);
    }),
    { seed, numRuns: numRuns * 20 },
  );
});

test("a log that is opened after anything was put into it goes on, and says so where it had to", async () => {
  using bench = createLogBench();
  await fc.assert(
    fc.asyncProperty(bytes, async (strange) => {
      writeFileSync(bench.path, strange);
      const log = await bench.open();
      await log.commit(manyNumbered(0, 1));
      await log.close();
      assert.equal(bench.fields()[0]?.["event"], "opened");
    }),
    { seed, numRuns: Math.min(numRuns, 100) },
  );
});
