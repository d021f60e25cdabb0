import assert from "node:assert/strict";
import { createPrivateKey, hash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { PassThrough } from "node:stream";
import { parseChainedLine, parseFields } from "../../../src/audit/chain.ts";
import { recordMatches } from "../../../src/audit/filter.ts";
import { parsePublicKey } from "../../../src/audit/signing-key.ts";
import { readTail } from "../../../src/audit/tail.ts";
import { verifyLog } from "../../../src/audit/verify.ts";
import { renderRecord } from "../../../src/cli/audit-line.ts";
import { parseGlob } from "../../../src/routing/glob.ts";
import { createLogBench, manyNumbered } from "../../fakes/audit-log.ts";
import { createMemoryFiles } from "../../fakes/memory-files.ts";
import { expectPublic, kindOf } from "../harness/expect.ts";
import type { Target } from "../harness/target.ts";

const LOG = "/log/audit.jsonl";
const FORGED = "#forge\n";
const ALONE = "#alone\n";
const SEAL_LENGTH = 75;

/**
 * A log whose last checkpoint is known. After `#forge`, all lines are chained anew, as whoever can write the file can do:
 * without the key, he must not get anything changed up to the last checkpoint. After `#alone`, the file that knows it is
 * gone as well: then nothing up to the last checkpoint that is left.
 */
export const auditLog: Target = {
  name: "audit-log",
  dictionary: [
    FORGED,
    ALONE,
    "\n",
    '"seq":1',
    '"prev":"',
    '"hash":"',
    '"event":"checkpoint"',
    '"event":"opened"',
    '"signature":"',
    ',"file":1',
    '"reason":"first"',
    '"oldest":1',
    "0".repeat(64),
    '"time":"2026',
    "problem 7",
    "}\n{",
  ],
  maxBytes: 30_000,
  async open() {
    const { log, head, publicKey } = await writeKnownLog();
    const signedBytes = log.indexOf(head) + head.length;
    assert.ok(signedBytes > head.length && log.length > signedBytes, "signed records, and some that are not");
    return {
      async run(input) {
        const { bytes, isForged, hasHead } = readLog(input);
        const beside: readonly (readonly [string, Buffer])[] = hasHead ? [[`${LOG}.head`, head]] : [];
        const files = createMemoryFiles(new Map([[LOG, bytes], ...beside]));
        const options = { publicKeys: [publicKey], expectedHead: undefined };
        const { ok, problems, records, unsigned } = await verifyLog(files, { paths: [LOG], written: LOG }, options);
        const tail = (await readTail(files, LOG))?.kind;
        for (const { problem } of problems) expectPublic(problem);
        if (!ok) return `${tail} ${[...new Set(problems.map(({ problem }) => kindOf(problem)))].slice(0, 2)}`;
        const end = hasHead ? signedBytes : endOfLastCheckpoint(bytes);
        assert.ok(bytes.subarray(0, end).equals(log.subarray(0, end)), "what was signed was changed");
        const isCut = log.subarray(0, bytes.length).equals(bytes);
        assert.ok(isForged || isCut, "what was not signed was changed, and the chain holds");
        assert.equal(bytes.at(-1), 10, "a torn line");
        return `good ${isForged} ${hasHead} ${isCut} ${tail} ${records} ${unsigned}`;
      },
      samples: ["", FORGED, ALONE].flatMap((mark) => [
        Buffer.concat([Buffer.from(mark), log]),
        Buffer.concat([Buffer.from(mark), log.subarray(0, signedBytes)]),
      ]),
    };
  },
};

function readLog(input: Buffer): { readonly bytes: Buffer; readonly isForged: boolean; readonly hasHead: boolean } {
  const [mark] = [FORGED, ALONE].filter((each) => input.toString("latin1", 0, each.length) === each);
  if (mark === undefined) return { bytes: input, isForged: false, hasHead: true };
  return { bytes: chainAnew(input.subarray(mark.length)), isForged: true, hasHead: mark === FORGED };
}

function endOfLastCheckpoint(log: Buffer): number {
  const lines = log.toString("latin1").split("\n");
  const last = lines.findLastIndex((line) => parseFields(Buffer.from(line, "latin1"))?.["event"] === "checkpoint");
  return lines.slice(0, last + 1).join("\n").length;
}

/** The same bytes in every run: the key is no secret, and the clock stands still. */
async function writeKnownLog(): Promise<{ log: Buffer; head: Buffer; publicKey: string }> {
  using bench = createLogBench();
  const der = Buffer.concat([Buffer.from("302e020100300506032b657004220420", "hex"), Buffer.alloc(32, 9)]);
  const key = createPrivateKey({ key: der, format: "der", type: "pkcs8" });
  writeFileSync(`${bench.path}.key`, key.export({ format: "pem", type: "pkcs8" }), { mode: 0o600 });
  const log = await bench.open({ checkpoint: { records: 6, intervalMs: 10_000 } });
  for (let batch = 0; batch < 8; batch += 1) await log.commit(manyNumbered(batch * 2, 2));
  // Before it is closed, which signs what is left.
  const [bytes, head] = [readFileSync(bench.path), readFileSync(`${bench.path}.head`)];
  await log.close();
  const publicKey = parsePublicKey(key.export({ format: "pem", type: "pkcs8" }).toString());
  assert.ok(publicKey !== undefined);
  return { log: bytes, head, publicKey };
}

function chainAnew(bytes: Buffer): Buffer {
  let [seq, prev] = [1, "0".repeat(64)];
  const lines = bytes
    .toString("latin1")
    .split("\n")
    .filter((line) => line.length > SEAL_LENGTH)
    .map((line) => {
      const fields = line.slice(0, -SEAL_LENGTH).replace(/^\{"seq":\d+,"prev":"[^"]*",/, "");
      const body = Buffer.from(`{"seq":${seq},"prev":"${prev}",${fields}`, "latin1");
      seq += 1;
      prev = hash("sha256", body, "hex");
      return Buffer.concat([body, Buffer.from(`,"hash":"${prev}"}\n`)]);
    });
  return Buffer.concat(lines);
}

/** A line that `audit show` is asked to show to a person. */
export const auditLine: Target = {
  name: "audit-line",
  dictionary: [
    "{",
    "}",
    ":",
    ",",
    '"',
    "[",
    "]",
    "null",
    "seq",
    "prev",
    "hash",
    "time",
    "event",
    "decision",
    "outcome",
    "operation",
    "caller",
    "names",
    "listener",
    "proofs",
    "key",
    "rule",
    "code",
    "latencyMs",
    "\\u001b[2J",
    "\\n",
    "\\u202e",
    "\\ud800",
    "\u009b2J",
    "ok",
    "refused",
    "__proto__",
  ],
  maxBytes: 800,
  open() {
    const terminal = new PassThrough();
    const filters = [
      {},
      { caller: "team-a" },
      { key: parseGlob("projects/*") },
      { outcome: "failed" },
      { since: "2026" },
    ];
    return {
      run(input) {
        const chained = parseChainedLine(input);
        const fields = parseFields(input);
        if (fields === undefined) return `no record ${chained === undefined}`;
        expectPublic(renderRecord(fields, terminal).slice(0, 1000));
        const fitting = filters.map((filter) => recordMatches(fields, filter));
        assert.ok(fitting[0], "no filter, and not wanted");
        return `${fitting} ${typeof fields["event"]} ${chained === undefined} ${Object.keys(fields).length}`;
      },
    };
  },
};
