import type { Writable } from "node:stream";
import type { Clock } from "../core/clock.ts";
import { CHAIN_START } from "./chain.ts";
import type { AuditLog } from "./file-log.ts";
import type { AuditEvent } from "./record.ts";
import { createSealer } from "./sealer.ts";
import type { SigningKey } from "./signing-key.ts";

export interface StreamLogOptions {
  /** Not ended with the log. */
  readonly stream: Writable;
  readonly checkpoint: { readonly records: number; readonly intervalMs: number };
  readonly key: SigningKey;
  readonly clock: Clock;
}

/**
 * A log that goes to whoever reads our standard output: a chain of its own for each start. A record is safe when the
 * reader's pipe has taken it. A pipe that is full makes a commit wait; nothing else waits for it.
 */
export function openStreamLog({ stream, ...options }: StreamLogOptions): AuditLog {
  const { key, clock } = options;
  const sealer = createSealer(CHAIN_START, 0, options);

  const opened = (): AuditEvent => ({
    event: "opened",
    time: new Date(clock.nowMs()).toISOString(),
    reason: "first",
    file: 1,
    oldest: 1,
    publicKey: key.publicKey,
  });

  function write(bytes: Buffer): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    stream.write(bytes, (error) => (error === null || error === undefined ? resolve() : reject(error)));
    return promise;
  }

  async function commitSealed(sealed: ReturnType<typeof sealer.seal>): Promise<readonly string[]> {
    await write(sealed.bytes);
    sealer.accept(sealed);
    return sealed.lines;
  }

  return {
    commit(events) {
      return commitSealed(sealer.seal(sealer.file === 0 ? [opened(), ...events] : events));
    },
    async close() {
      if (sealer.hasUnsigned) await commitSealed(sealer.sealCheckpoint());
    },
  };
}
