import assert from "node:assert/strict";
import { test } from "node:test";
import { createPeers } from "../../../bench/peers/all.ts";
import { replaceBetweenMarks } from "../../../bench/report/document.ts";
import { renderPlot } from "../../../bench/report/plot.ts";
import { median, summarise } from "../../../bench/report/summary.ts";
import { renderTables } from "../../../bench/report/tables.ts";
import { renderTargets } from "../../../bench/report/targets.ts";
import type { BenchDocument, BenchRecord } from "../../../bench/results.ts";
import { type Cell, type CellResult, cellsOf } from "../../../bench/suites/calls.ts";
import { slope } from "../../../bench/suites/memory.ts";

const PEERS = createPeers("/usr/bin/sops");
const MACHINE = { date: "2026-01-01", cpu: "x", cores: 2, kernel: "6", node: "v26", sops: "3.13.3", loadAverage: 0 };

function calls(cell: Partial<Cell>, result: Partial<CellResult>): BenchRecord {
  return {
    suite: "calls",
    id: JSON.stringify(cell),
    cell: { round: 1, peer: "keyd-rest", upstream: "tls", inFlight: 64, ...cell },
    result: {
      calls: 1_000,
      failed: 0,
      seconds: 1,
      p50Ms: 1,
      p99Ms: 2,
      callsPerSecond: 1_000,
      cpuMsPerCall: 0.2,
      rssMiB: 100,
      descriptors: 20,
      upstreamCalls: 1_000,
      tokenRequests: 0,
      connections: 0,
      driverCores: 0.1,
      upstreamCores: 0.2,
      ...result,
    },
  };
}

function documentOf(...records: readonly BenchRecord[]): BenchDocument {
  return { command: "npm run bench", machine: MACHINE, records };
}

test("a median is the middle value, or the mean of the two in the middle", () => {
  assert.equal(median([3, 1, 2]), 2);
  assert.equal(median([4, 1, 2, 3]), 2.5);
  assert.equal(median([Number.NaN, 7]), 7);
  assert.ok(Number.isNaN(median([])));
});

test("rounds of one cell become one row with medians and the sum of failures", () => {
  const [row, ...more] = summarise(
    documentOf(
      calls({ round: 1 }, { cpuMsPerCall: 0.3, failed: 1 }),
      calls({ round: 2 }, { cpuMsPerCall: 0.1 }),
      calls({ round: 3 }, { cpuMsPerCall: 0.2, failed: 2 }),
    ),
  );
  assert.equal(more.length, 0);
  assert.equal(row?.cpuMsPerCall, 0.2);
  assert.equal(row?.failed, 3);
});

test("targets are held against each of sops' two ways", () => {
  const text = renderTargets(
    documentOf(
      calls({}, { callsPerSecond: 6_000 }),
      calls({ peer: "sops-rest-account" }, { callsPerSecond: 500, cpuMsPerCall: 4 }),
      calls({ peer: "sops-grpc-account" }, { callsPerSecond: 1_000, cpuMsPerCall: 1.6 }),
    ),
  );
  assert.match(text, /times that of sops keyservice by gRPC \| ≥ 6 \| 6\.0 \| yes/);
  assert.match(text, /times that of sops keyservice by REST \| ≥ 6 \| 12\.0 \| yes/);
  assert.match(text, /share of sops keyservice by gRPC \| ≤ 0\.1 \| 0\.125 \| \*\*no\*\*/);
  assert.doesNotMatch(text, /memory/, "what was not measured is not told");
});

test("a plan measures the floor once a round and gRPC only where there is TLS", () => {
  const cells = cellsOf(
    {
      peers: ["keyd-rest", "sops-grpc-account", "null"],
      upstreams: ["tls", "plain"],
      inFlight: [1, 64],
      rounds: 2,
      connections: 8,
      seconds: 1,
      maxCalls: 10,
    },
    PEERS,
  );
  const count = (peer: string) => cells.filter((cell) => cell.peer === peer).length;
  assert.deepEqual([count("keyd-rest"), count("sops-grpc-account"), count("null")], [8, 4, 4]);
});

test("tables and plot show every peer by its title", () => {
  const document = documentOf(calls({}, {}), calls({ peer: "null" }, { cpuMsPerCall: 0.05 }));
  for (const text of [renderTables(document, PEERS), renderPlot(summarise(document), PEERS)]) {
    assert.match(text, /sops-keyd, REST/);
    assert.match(text, /null server \(grpc-js\)/);
  }
});

test("the page keeps what stands outside the marks", () => {
  const page = "before\n<!-- bench: begin -->\nold\n<!-- bench: end -->\nafter\n";
  const changed = replaceBetweenMarks(page, "new");
  assert.equal(changed, "before\n<!-- bench: begin -->\nnew\n<!-- bench: end -->\nafter\n");
  assert.throws(() => replaceBetweenMarks("no marks", "new"), /needs the marks/);
});

test("the slope of a line is its slope", () => {
  const samples = [1, 2, 3, 4].map((step) => ({ calls: step * 5_000, rssMiB: 100 + step * 2, descriptors: 9 }));
  assert.ok(Math.abs(slope(samples) * 10_000 - 4) < 1e-9);
});
