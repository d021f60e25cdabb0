import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { PassThrough, Writable } from "node:stream";
import { test } from "node:test";
import { openSigningKey } from "../../../src/audit/signing-key.ts";
import { openStreamLog } from "../../../src/audit/stream-log.ts";
import { createLogBench, type LogBench, manyNumbered, numbered } from "../../fakes/audit-log.ts";
import { settle } from "../../fakes/clock.ts";

function openOn(bench: LogBench, stream: Writable) {
  const key = openSigningKey(`${bench.path}.key`);
  return openStreamLog({ stream, checkpoint: { records: 3, intervalMs: 10_000 }, key, clock: bench.clock });
}

test("what the reader of our output has kept verifies like a file, checkpoints and end included", async () => {
  using bench = createLogBench();
  const stream = new PassThrough({ encoding: "utf8" });
  let text = "";
  stream.on("data", (piece: string) => {
    text += piece;
  });
  const log = openOn(bench, stream);
  for (const event of manyNumbered(0, 5)) await log.commit([event]);
  await log.close();
  await settle();
  writeFileSync(bench.path, text);
  const events = bench.fields().map(({ event }) => event);
  assert.deepEqual([events[0], events.filter((event) => event === "checkpoint").length], ["opened", 2]);
  const { problems } = await bench.verify({ publicKeys: [openSigningKey(`${bench.path}.key`).publicKey] });
  assert.deepEqual(problems, []);
});

test("a record is safe when the reader's pipe has taken it, and not before", async () => {
  using bench = createLogBench();
  const taken = Promise.withResolvers<void>();
  const stream = new Writable({ write: (_bytes, _encoding, done) => void taken.promise.then(() => done()) });
  let safe = false;
  const committed = openOn(bench, stream)
    .commit([numbered(0)])
    .then(() => {
      safe = true;
    });
  await settle();
  assert.equal(safe, false);
  taken.resolve();
  await committed;
});

test("a reader that went away makes each commit fail, with what the operating system said", async () => {
  using bench = createLogBench();
  const stream = new Writable({
    write: (_bytes, _encoding, done) => done(Object.assign(new Error("gone"), { code: "EPIPE" })),
  });
  stream.on("error", () => {});
  const log = openOn(bench, stream);
  await assert.rejects(log.commit([numbered(0)]), { code: "EPIPE" });
  await assert.rejects(log.commit([numbered(1)]));
});
