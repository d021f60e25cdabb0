import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type AuditLog, type FileLogOptions, openFileLog } from "../../src/audit/file-log.ts";
import { systemFileSystem } from "../../src/audit/file-system.ts";
import { findLogFiles } from "../../src/audit/log-files.ts";
import type { AuditEvent } from "../../src/audit/record.ts";
import { openSigningKey } from "../../src/audit/signing-key.ts";
import { type Verification, type VerifyOptions, verifyLog } from "../../src/audit/verify.ts";
import { createFakeClock, type FakeClock } from "./clock.ts";

/** A directory with an audit log in it, gone when it is disposed of. */
export interface LogBench extends Disposable {
  readonly directory: string;
  readonly path: string;
  readonly clock: FakeClock;
  readonly warnings: string[];
  open(changes?: Partial<FileLogOptions>): Promise<AuditLog>;
  lines(path?: string): readonly string[];
  fields(path?: string): readonly Readonly<Record<string, unknown>>[];
  verify(options?: Partial<VerifyOptions>): Promise<Verification>;
}

export function createLogBench(): LogBench {
  const directory = mkdtempSync(join(tmpdir(), "keyd-audit-"));
  const path = join(directory, "audit.jsonl");
  const clock = createFakeClock();
  const warnings: string[] = [];
  const lines = (of = path) => readFileSync(of, "utf8").trimEnd().split("\n");
  return {
    directory,
    path,
    clock,
    warnings,
    lines,
    open: (changes = {}) =>
      openFileLog({
        path,
        maxFileBytes: 1_000_000,
        keep: 5,
        checkpoint: { records: 10, intervalMs: 10_000 },
        key: openSigningKey(`${path}.key`),
        clock,
        fs: systemFileSystem,
        warn: (message) => warnings.push(message),
        ...changes,
      }),
    fields: (of = path) => lines(of).map((line) => JSON.parse(line) as Readonly<Record<string, unknown>>),
    async verify(options = {}) {
      const files = await findLogFiles(systemFileSystem, [path]);
      return await verifyLog(systemFileSystem, files, { publicKeys: [], expectedHead: undefined, ...options });
    },
    [Symbol.dispose]: () => rmSync(directory, { recursive: true, force: true }),
  };
}

/** A record that can be told from others by its number. */
export function numbered(number: number): AuditEvent {
  return { event: "config_refused", time: "2026-01-01T00:00:00.000Z", problem: `problem ${number} of ü and 🔑` };
}

export function manyNumbered(from: number, count: number): readonly AuditEvent[] {
  return Array.from({ length: count }, (_, index) => numbered(from + index));
}
