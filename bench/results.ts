import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import type { Cell, CellResult } from "./suites/calls.ts";
import type { FilesResult } from "./suites/files.ts";
import type { IsolationResult } from "./suites/isolation.ts";
import type { LimitResult } from "./suites/limit.ts";
import type { MemoryResult } from "./suites/memory.ts";
import type { StartResult } from "./suites/start.ts";

/** One finished measurement; `id` says which, so that a broken-off bench can go on. */
export type BenchRecord =
  | { readonly suite: "calls"; readonly id: string; readonly cell: Cell; readonly result: CellResult }
  | { readonly suite: "memory"; readonly id: string; readonly result: MemoryResult }
  | { readonly suite: "isolation"; readonly id: string; readonly result: readonly IsolationResult[] }
  | { readonly suite: "limit"; readonly id: string; readonly result: LimitResult }
  | { readonly suite: "files"; readonly id: string; readonly result: FilesResult }
  | { readonly suite: "start"; readonly id: string; readonly result: StartResult };

export interface Machine {
  readonly date: string;
  readonly cpu: string;
  readonly cores: number;
  readonly kernel: string;
  readonly node: string;
  readonly sops: string;
  /** How many processes wanted a core when it began: what other work the machine had. */
  readonly loadAverage: number;
}

/** What the JSON file holds. */
export interface BenchDocument {
  readonly command: string;
  readonly machine: Machine;
  readonly records: readonly BenchRecord[];
}

export interface Results {
  readonly document: BenchDocument;
  has(id: string): boolean;
  /** Written at once, and as a whole. */
  add(record: BenchRecord): void;
}

export function openResults(file: string, resume: boolean, command: string, machine: Machine): Results {
  const before = resume ? readResults(file) : undefined;
  const records: BenchRecord[] = [...(before?.records ?? [])];
  // What was measured before was measured by that command, when the machine was as it says.
  const document: BenchDocument = { command, machine, ...before, records };
  mkdirSync(dirname(file), { recursive: true });
  return {
    document,
    has: (id) => records.some((record) => record.id === id),
    add(record) {
      records.push(record);
      const temporary = `${file}.${process.pid}`;
      writeFileSync(temporary, `${JSON.stringify(document, undefined, 1)}\n`);
      renameSync(temporary, file);
    },
  };
}

/** Undefined where there is none. */
export function readResults(file: string): BenchDocument | undefined {
  try {
    return JSON.parse(readFileSync(file, "utf8")) as BenchDocument;
  } catch (thrown) {
    if (thrown instanceof Error && "code" in thrown && thrown.code === "ENOENT") return undefined;
    throw thrown;
  }
}
