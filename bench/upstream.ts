import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { type BenchProcess, startProcess } from "./system/child.ts";

/** How Cloud KMS is reached. */
export const UPSTREAMS = {
  tls: { title: "TLS", tls: true, latencyMs: 0 },
  "tls-20ms": { title: "TLS, 20 ms", tls: true, latencyMs: 20 },
  plain: { title: "no TLS", tls: false, latencyMs: 0 },
  "plain-20ms": { title: "no TLS, 20 ms", tls: false, latencyMs: 20 },
} as const;

export type UpstreamName = keyof typeof UPSTREAMS;

/** Cloud KMS and a token endpoint as the bench has them: see `upstream/main.go`. */
export interface Upstream extends AsyncDisposable {
  readonly name: UpstreamName;
  readonly pid: number;
  /** For both. */
  readonly url: string;
  /** Undefined where there is no TLS. */
  readonly caFile: string | undefined;
  counters(): Promise<UpstreamCounters>;
}

/** What it has seen since it began. */
export interface UpstreamCounters {
  readonly calls: number;
  readonly tokens: number;
  readonly connections: number;
}

export async function startUpstream(program: string, name: UpstreamName, directory: string): Promise<Upstream> {
  const { tls, latencyMs } = UPSTREAMS[name];
  const args = [`-tls=${tls}`, `-latency=${latencyMs}ms`, `-directory=${directory}`];
  const process: BenchProcess = startProcess(program, args, { logFile: join(directory, "upstream.log") });
  const ready = JSON.parse(await process.firstLine()) as { url: string; caFile?: string; counters: string };
  return {
    name,
    pid: process.pid,
    url: ready.url,
    caFile: ready.caFile,
    counters: async () => (await (await fetch(ready.counters)).json()) as UpstreamCounters,
    [Symbol.asyncDispose]: () => process[Symbol.asyncDispose](),
  };
}

/**
 * Builds it with Go, once for each state of its source, into a cache outside the checkout.
 *
 * @returns its path
 */
export async function buildUpstream(): Promise<string> {
  const source = join(import.meta.dirname, "upstream");
  const hash = createHash("sha256");
  for (const name of readdirSync(source).sort()) hash.update(readFileSync(join(source, name)));
  const cache = join(process.env["XDG_CACHE_HOME"] ?? join(process.env["HOME"] ?? "/tmp", ".cache"), "sops-keyd");
  const program = join(cache, `bench-upstream-${hash.digest("hex").slice(0, 16)}`);
  if (existsSync(program)) return program;
  mkdirSync(cache, { recursive: true });
  const built = `${program}.${process.pid}`;
  try {
    await promisify(execFile)("go", ["build", "-trimpath", "-o", built, "."], { cwd: source });
  } catch (thrown) {
    throw new Error("the bench's upstream is in Go, and Go could not build it: is `go` 1.24 or newer on PATH?", {
      cause: thrown,
    });
  }
  renameSync(built, program);
  return program;
}
