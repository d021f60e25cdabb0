import type { Clock } from "../core/clock.ts";
import { type ChainPosition, sealLine, sealSignedLine } from "./chain.ts";
import type { AuditEvent, CheckpointEvent } from "./record.ts";
import type { SigningKey } from "./signing-key.ts";

/** Records as they go into the file; they count only once they were accepted. */
export interface Sealed {
  readonly bytes: Buffer;
  readonly lines: readonly string[];
  /** The last checkpoint among them. */
  readonly checkpoint: string | undefined;
  readonly end: ChainPosition;
  readonly file: number;
}

export interface Sealer {
  /** Number of the file that is written. */
  readonly file: number;
  /** Whether there are records since the last checkpoint. */
  readonly hasUnsigned: boolean;
  /** With a checkpoint at the end where one is due; with no events, where there is anything to sign. */
  seal(events: readonly AuditEvent[]): Sealed;
  /** A checkpoint, due or not. */
  sealCheckpoint(): Sealed;
  /** What was sealed is safe: the next records are chained to it. */
  accept(sealed: Sealed): void;
}

export interface SealerOptions {
  readonly checkpoint: { readonly records: number; readonly intervalMs: number };
  readonly key: SigningKey;
  readonly clock: Clock;
}

/** Chains records and signs checkpoints. What was sealed and not accepted leaves no trace. */
export function createSealer(start: ChainPosition, firstFile: number, options: SealerOptions): Sealer {
  const { key, clock } = options;
  let position = start;
  let file = firstFile;
  let unsigned = 0;
  let signedAtMs = clock.monotonicMs();

  function seal(events: readonly AuditEvent[], sign: boolean): Sealed {
    const lines: string[] = [];
    let end = position;
    let inFile = file;
    for (const event of events) {
      if (event.event === "opened") inFile = event.file;
      const sealed = sealLine(end, JSON.stringify(event));
      lines.push(sealed.line);
      end = sealed.next;
    }
    if (!sign) return toSealed(lines, undefined, end, inFile);
    const time = new Date(clock.nowMs()).toISOString();
    const fields = { event: "checkpoint", time, file: inFile } satisfies CheckpointEvent;
    const signed = sealSignedLine(end, JSON.stringify(fields), key.sign);
    lines.push(signed.line);
    return toSealed(lines, signed.line, signed.next, inFile);
  }

  function isDue(more: number): boolean {
    if (more === 0) return unsigned > 0;
    const { records, intervalMs } = options.checkpoint;
    return unsigned + more >= records || clock.monotonicMs() - signedAtMs >= intervalMs;
  }

  return {
    get file() {
      return file;
    },
    get hasUnsigned() {
      return unsigned > 0;
    },
    seal: (events) => seal(events, isDue(events.length)),
    sealCheckpoint: () => seal([], true),
    accept(sealed) {
      unsigned = sealed.checkpoint === undefined ? unsigned + sealed.lines.length : 0;
      if (sealed.checkpoint !== undefined) signedAtMs = clock.monotonicMs();
      position = sealed.end;
      file = sealed.file;
    },
  };
}

function toSealed(lines: readonly string[], checkpoint: string | undefined, end: ChainPosition, file: number): Sealed {
  const bytes = Buffer.from(lines.length === 0 ? "" : `${lines.join("\n")}\n`);
  return { bytes, lines, checkpoint, end, file };
}
