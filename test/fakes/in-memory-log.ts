import type { AuditLog } from "../../src/audit/file-log.ts";
import type { AuditEvent } from "../../src/audit/record.ts";

/** A log in memory. Each commit waits for the test where it is held, and fails where it is told to. */
export interface InMemoryLog extends AuditLog {
  readonly events: AuditEvent[];
  readonly batches: number[];
  readonly closed: boolean;
  /** The code that commits fail with; undefined: they succeed. */
  failWith: string | undefined;
  /** Commits wait from now on, until they are let go. */
  hold(): void;
  letGo(): void;
}

export function createInMemoryLog(): InMemoryLog {
  const events: AuditEvent[] = [];
  const batches: number[] = [];
  let gate: PromiseWithResolvers<void> | undefined;
  let closed = false;
  return {
    events,
    batches,
    failWith: undefined,
    get closed() {
      return closed;
    },
    async commit(batch) {
      await gate?.promise;
      if (this.failWith !== undefined) throw Object.assign(new Error("no"), { code: this.failWith });
      events.push(...batch);
      batches.push(batch.length);
      return batch.map((event) => JSON.stringify(event));
    },
    close() {
      closed = true;
      return Promise.resolve();
    },
    hold() {
      gate = Promise.withResolvers();
    },
    letGo() {
      gate?.resolve();
      gate = undefined;
    },
  };
}
