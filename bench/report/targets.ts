import type { PeerName } from "../peers/all.ts";
import type { BenchDocument } from "../results.ts";
import { type CellSummary, median, recordsOf, summarise } from "./summary.ts";
import { table } from "./tables.ts";

interface Target {
  readonly what: string;
  readonly target: string;
  /** Undefined where it was not measured in this run. */
  readonly measured: string | undefined;
  readonly met: boolean;
}

/** The two ways in which sops asks Cloud KMS, each with a service account as ours. */
const RIVALS: readonly (readonly [PeerName, string])[] = [
  ["sops-rest-account", "sops keyservice by REST"],
  ["sops-grpc-account", "sops keyservice by gRPC"],
];

/** What we want of sops-keyd, and what it does: nothing fails for it. */
export function renderTargets(document: BenchDocument): string {
  const rows = [...callTargets(summarise(document)), ...otherTargets(document)].flatMap(
    ({ what, target, measured, met }) =>
      measured === undefined ? [] : [[what, target, measured, met ? "yes" : "**no**"]],
  );
  return table(["", "target", "measured", "met"], rows);
}

function callTargets(cells: readonly CellSummary[]): readonly Target[] {
  const find = (peer: PeerName, upstream: string, inFlight: number) =>
    cells.find((cell) => cell.peer === peer && cell.upstream === upstream && cell.inFlight === inFlight);
  const fast = find("keyd-rest", "tls", 64);
  const slow = find("keyd-rest", "tls-20ms", 64);
  return [
    atMost("CPU a call, 64 in flight, TLS, ms", 0.4, fast?.cpuMsPerCall, 3),
    ...RIVALS.flatMap(([name, title]) => [
      atMost(
        `the same, as a share of ${title}`,
        0.1,
        ratio(fast?.cpuMsPerCall, find(name, "tls", 64)?.cpuMsPerCall),
        3,
      ),
      atLeast(
        `throughput, 64 in flight, TLS, times that of ${title}`,
        6,
        ratio(fast?.callsPerSecond, find(name, "tls", 64)?.callsPerSecond),
        1,
      ),
      atMost(
        `p50 with 20 ms upstream, 64 in flight, as a share of ${title}`,
        0.2,
        ratio(slow?.p50Ms, find(name, "tls-20ms", 64)?.p50Ms),
        2,
      ),
    ]),
    atMost("p50 with 20 ms upstream, 64 in flight, beyond the upstream's, ms", 5, beyond(slow?.p50Ms), 1),
    atMost(
      "p50 with 20 ms upstream, 1 in flight, beyond the upstream's, ms",
      5,
      beyond(find("keyd-rest", "tls-20ms", 1)?.p50Ms),
      1,
    ),
  ];
}

function otherTargets(document: BenchDocument): readonly Target[] {
  const memory = recordsOf(document, "memory").at(-1)?.result;
  const limit = recordsOf(document, "limit").find(({ result }) => result.peer === "keyd-rest")?.result;
  const files = (peer: PeerName) =>
    median(recordsOf(document, "files").flatMap(({ result }) => (result.peer === peer ? result.seconds : [])));
  const start = (prefix: string) =>
    median(recordsOf(document, "start").flatMap(({ result }) => (result.what.startsWith(prefix) ? result.cpuMs : [])));
  return [
    atMost(`memory after ${memory?.calls} calls, MiB`, 150, memory?.rssMiB, 0),
    atMost("its growth for each 10,000 calls more, MiB", 1, memory?.slopeMiBPer10k, 2),
    atMost(
      "file descriptors more after them than after the first",
      0,
      memory === undefined ? undefined : memory.descriptorsAfter - memory.descriptorsBefore,
      0,
    ),
    atMost("1,500 calls under `ulimit -n 256`: failed", 0, limit?.failed, 0),
    atMost("100 files by real sops, times the null server's time", 1.1, ratio(files("keyd-rest"), files("null")), 2),
    atMost("CPU to the first answered call, serve, ms", 300, start("sops-keyd, REST"), 0),
    atMost("CPU that exec adds to sops, ms", 300, start("sops-keyd exec"), 0),
  ];
}

function atMost(what: string, limit: number, value: number | undefined, digits: number): Target {
  return { what, target: `≤ ${limit}`, measured: known(value)?.toFixed(digits), met: (value ?? Number.NaN) <= limit };
}

function atLeast(what: string, limit: number, value: number | undefined, digits: number): Target {
  return { what, target: `≥ ${limit}`, measured: known(value)?.toFixed(digits), met: (value ?? Number.NaN) >= limit };
}

function known(value: number | undefined): number | undefined {
  return value === undefined || Number.isNaN(value) ? undefined : value;
}

function ratio(ours: number | undefined, theirs: number | undefined): number | undefined {
  return ours === undefined || theirs === undefined ? undefined : ours / theirs;
}

function beyond(p50Ms: number | undefined): number | undefined {
  return p50Ms === undefined ? undefined : p50Ms - 20;
}
