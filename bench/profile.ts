/** Sums up a CPU profile of V8 by what it was spent in: `node bench/profile.ts FILE.cpuprofile [FUNCTIONS]`. */
import { readFileSync } from "node:fs";
import { table } from "./report/tables.ts";

/** https://chromedevtools.github.io/devtools-protocol/tot/Profiler/#type-Profile, as far as it is read. */
interface CpuProfile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number };
  }[];
  readonly samples: readonly number[];
  /** Microseconds. */
  readonly timeDeltas: readonly number[];
}

const IDLE = "(idle)";

/** @returns microseconds by place, the most first */
export function sumByPlace(
  profile: CpuProfile,
  placeOf: (functionName: string, url: string, line: number) => string,
): readonly (readonly [string, number])[] {
  const places = new Map(
    profile.nodes.map(({ id, callFrame }) => [
      id,
      callFrame.functionName === IDLE ? IDLE : placeOf(callFrame.functionName, callFrame.url, callFrame.lineNumber + 1),
    ]),
  );
  const sums = new Map<string, number>();
  for (const [index, sample] of profile.samples.entries()) {
    const place = places.get(sample) ?? "unknown";
    if (place !== IDLE) sums.set(place, (sums.get(place) ?? 0) + (profile.timeDeltas[index] ?? 0));
  }
  return [...sums].sort(([, a], [, b]) => b - a);
}

/** A package, a part of Node.js, or a module of ours. */
export function moduleOf(functionName: string, url: string): string {
  const inPackage = /.*\/node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(url)?.[1];
  if (inPackage !== undefined) return inPackage;
  if (url.startsWith("node:internal/")) return url.split("/").slice(0, 2).join("/");
  if (url.startsWith("node:")) return url;
  const ours = /\/(?:dist|src)\/(.+)\.[jt]s$/.exec(url)?.[1];
  if (ours !== undefined) return `sops-keyd ${ours}`;
  return functionName.startsWith("(") ? functionName : "native, called from JavaScript";
}

const LOGGING = new Set(["winston", "winston-transport", "logform", "readable-stream"]);

/** The rough parts of a server's work. */
function partOf(functionName: string, url: string): string {
  const name = moduleOf(functionName, url);
  if (name.startsWith("sops-keyd")) return "sops-keyd";
  if (name === "node:internal/modules" || name === "node:internal/bootstrap") return "loading modules, at the start";
  if (name.startsWith("node:")) return "Node.js: HTTP/2, TLS, sockets, streams, events, timers";
  if (name === "native, called from JavaScript") return "native: system calls, TLS, HTTP/2 frames, hashes";
  if (name === "(program)") return "V8 and Node.js besides";
  if (LOGGING.has(name)) return "winston";
  return name;
}

function functionOf(functionName: string, url: string, line: number): string {
  return `${functionName === "" ? "(anonymous)" : functionName} ${url.replace(/^.*\/(?:node_modules|dist|src)\//, "")}:${line}`;
}

function print(title: string, sums: readonly (readonly [string, number])[], count: number): void {
  const total = sums.reduce((sum, [, microseconds]) => sum + microseconds, 0);
  const rows = sums
    .slice(0, count)
    .map(([place, microseconds]) => [place, `${((microseconds / total) * 100).toFixed(1)} %`]);
  process.stdout.write(`${table([title, "share of CPU"], rows)}\n\n`);
}

if (import.meta.main) {
  const [file = "", count = "30"] = process.argv.slice(2);
  const profile = JSON.parse(readFileSync(file, "utf8")) as CpuProfile;
  print("part", sumByPlace(profile, partOf), Number(count));
  print("module", sumByPlace(profile, moduleOf), Number(count));
  print("function", sumByPlace(profile, functionOf), Number(count));
}
