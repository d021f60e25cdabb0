import { PEER_NAMES, type PeerName, type Peers } from "../peers/all.ts";
import type { BenchDocument } from "../results.ts";
import { UPSTREAMS } from "../upstream.ts";
import { type CellSummary, median, recordsOf, summarise } from "./summary.ts";

/** All tables in Markdown. */
export function renderTables(document: BenchDocument, peers: Peers): string {
  const cells = summarise(document);
  return [...callTables(cells, peers), ...otherTables(document, peers)].join("\n\n");
}

function callTables(cells: readonly CellSummary[], peers: Peers): readonly string[] {
  const keys = new Set(cells.map(({ upstream, inFlight }) => JSON.stringify({ upstream, inFlight })));
  return [...keys].map((key) => {
    const { upstream, inFlight } = JSON.parse(key) as Pick<CellSummary, "upstream" | "inFlight">;
    const rows = cells
      .filter((cell) => cell.upstream === upstream && cell.inFlight === inFlight)
      .sort((a, b) => PEER_NAMES.indexOf(a.peer) - PEER_NAMES.indexOf(b.peer))
      .map((cell) => callRow(cell, peers));
    const heading = `**Upstream with ${UPSTREAMS[upstream].title}, ${inFlight} in flight**`;
    return `${heading}\n\n${table(CALL_COLUMNS, rows)}`;
  });
}

const CALL_COLUMNS = [
  "",
  "calls/s",
  "p50 ms",
  "p99 ms",
  "CPU ms/call",
  "RSS MiB",
  "fds",
  "KMS calls/call",
  "tokens/call",
  "connections/call",
  "failed",
  "upstream, driver cores",
] as const;

function callRow(cell: CellSummary, peers: Peers): readonly string[] {
  return [
    peers[cell.peer].title,
    cell.callsPerSecond.toFixed(0),
    decimals(cell.p50Ms),
    decimals(cell.p99Ms),
    cell.cpuMsPerCall.toFixed(3),
    cell.rssMiB.toFixed(0),
    cell.descriptors.toFixed(0),
    share(cell.upstreamCallsPerCall),
    share(cell.tokensPerCall),
    share(cell.connectionsPerCall),
    cell.failed === 0 ? "0" : `${cell.failed} of ${cell.calls + cell.failed}`,
    `${cell.upstreamCores.toFixed(2)}, ${cell.driverCores?.toFixed(2) ?? "–"}`,
  ];
}

function otherTables(document: BenchDocument, peers: Peers): readonly string[] {
  const title = (name: PeerName) => peers[name].title;
  const limit = recordsOf(document, "limit").map(({ result }) => [
    title(result.peer),
    `${result.calls} of ${result.calls + result.failed}`,
    String(result.descriptorsAfter),
    result.firstFailure?.replaceAll(/\s+/g, " ") ?? "",
  ]);
  const files = [...Map.groupBy(recordsOf(document, "files"), ({ result }) => result.peer)].map(([peer, records]) => [
    title(peer),
    String(records[0]?.result.files),
    median(records.map(({ result }) => result.seconds)).toFixed(2),
  ]);
  const start = [...Map.groupBy(recordsOf(document, "start"), ({ result }) => result.what)].map(([what, records]) => [
    what,
    median(records.map(({ result }) => result.cpuMs)).toFixed(0),
  ]);
  const memory = recordsOf(document, "memory").flatMap(({ result }) =>
    result.samples.map(({ calls, rssMiB, descriptors }) => [String(calls), rssMiB.toFixed(0), String(descriptors)]),
  );
  return [
    section(
      "1,500 calls where a process may have 256 file descriptors",
      ["", "answered", "fds after", "failure"],
      limit,
    ),
    section("Files decrypted by the real sops, eight at a time", ["key service", "files", "seconds"], files),
    section("From the start to the first answered call", ["", "CPU ms"], start),
    section(
      "One rule's calls, 4 in flight, while the Cloud KMS of another is",
      ["", "p50 ms", "p99 ms", "failed", "the other rule's p99 ms"],
      isolationRows(document),
    ),
    section("Memory of sops-keyd under load, 64 in flight", ["calls", "RSS MiB", "fds"], memory),
  ].filter((text) => text !== "");
}

function isolationRows(document: BenchDocument): readonly (readonly string[])[] {
  const results = recordsOf(document, "isolation").flatMap(({ result }) => result);
  return [...Map.groupBy(results, ({ neighbour }) => neighbour)].map(([neighbour, group]) => [
    neighbour,
    median(group.map(({ p50Ms }) => p50Ms)).toFixed(2),
    median(group.map(({ p99Ms }) => p99Ms)).toFixed(2),
    String(group.reduce((total, { failed }) => total + failed, 0)),
    median(group.map(({ neighbourP99Ms }) => neighbourP99Ms)).toFixed(1),
  ]);
}

function section(title: string, columns: readonly string[], rows: readonly (readonly string[])[]): string {
  return rows.length === 0 ? "" : `**${title}**\n\n${table(columns, rows)}`;
}

export function table(columns: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  const rule = columns.map((_, index) => (index === 0 ? "---" : "---:"));
  return [line(columns), line(rule), ...rows.map(line)].join("\n");
}

function decimals(value: number): string {
  return value.toFixed(value < 10 ? 2 : 1);
}

/** Mostly nothing or one of each call. */
function share(value: number): string {
  return value < 0.005 ? "0" : value.toFixed(2);
}
