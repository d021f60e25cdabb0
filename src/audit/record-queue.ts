import type { KeyServiceError } from "../core/errors.ts";
import { createLossCount, type Loss } from "./loss.ts";
import type { AuditEvent } from "./record.ts";

/** What became of a queued record, for those who build on it. */
export interface Ticket {
  /** There was no room for it: it is never written. */
  readonly dropped: boolean;
}

/** Records that wait to be written, in order, and those of them that are being written. Bounded. */
export interface RecordQueue {
  /** Of those that wait. */
  readonly size: number;
  /** Whether a call waits for one of them. */
  readonly isWaitedFor: boolean;
  /** Records that were dropped since the start. */
  readonly lost: number;
  /**
   * Where it is full the oldest is dropped.
   *
   * @param waiter is let go when the record is safe, or with an error: then the record is taken back
   */
  add(event: AuditEvent, nowMs: number, waiter?: PromiseWithResolvers<void>): Ticket;
  /** What is to be written next, with what was lost before it. */
  take(most: number): readonly AuditEvent[];
  /** What was taken is safe. */
  settle(): void;
  /** What was taken is not: it waits again. All who wait for a record are let go. */
  putBack(error: KeyServiceError): void;
  /**
   * Lets go whose record was queued by then.
   *
   * @returns when the oldest of the others was; undefined: nobody waits
   */
  letGo(queuedByMs: number, error: () => KeyServiceError): number | undefined;
}

interface Entry {
  readonly event: AuditEvent;
  readonly queuedAtMs: number;
  waiter: PromiseWithResolvers<void> | undefined;
  /** Its call was told that there is no record: so there must be none. */
  withdrawn: boolean;
  dropped: boolean;
}

export interface RecordQueueOptions {
  readonly maxRecords: number;
  readonly describeLoss: (loss: Loss) => AuditEvent;
  readonly tooMany: () => KeyServiceError;
}

export function createRecordQueue({ maxRecords, describeLoss, tooMany }: RecordQueueOptions): RecordQueue {
  const losses = createLossCount();
  let waiting: Entry[] = [];
  let taken: Entry[] = [];
  let takenLoss: Loss | undefined;
  let waiters = 0;
  let lost = 0;

  function drop(): void {
    const oldest = waiting.shift();
    if (oldest === undefined) return;
    oldest.dropped = true;
    lost += 1;
    losses.add(oldest.event);
    release(oldest, tooMany());
  }

  /** @returns whether the record still counts */
  function release(entry: Entry, error: KeyServiceError): boolean {
    const { waiter } = entry;
    if (waiter === undefined) return !entry.withdrawn;
    entry.waiter = undefined;
    entry.withdrawn = true;
    waiter.reject(error);
    return false;
  }

  function recount(): void {
    waiters = waiting.reduce((sum, { waiter }) => sum + (waiter === undefined ? 0 : 1), 0);
  }

  return {
    get size() {
      return waiting.length;
    },
    get isWaitedFor() {
      return waiters > 0;
    },
    get lost() {
      return lost;
    },
    add(event, nowMs, waiter) {
      const entry: Entry = { event, queuedAtMs: nowMs, waiter, withdrawn: false, dropped: false };
      waiting.push(entry);
      if (waiter !== undefined) waiters += 1;
      if (waiting.length > maxRecords) {
        drop();
        recount();
      }
      return entry;
    },
    take(most) {
      taken = waiting.slice(0, most);
      waiting = waiting.slice(most);
      recount();
      takenLoss = losses.take();
      const events = taken.map(({ event }) => event);
      return takenLoss === undefined ? events : [describeLoss(takenLoss), ...events];
    },
    settle() {
      for (const { waiter } of taken) waiter?.resolve();
      taken = [];
    },
    putBack(error) {
      losses.giveBack(takenLoss);
      const entries = [...taken, ...waiting];
      taken = [];
      waiting = entries.filter((entry) => release(entry, error));
      waiters = 0;
    },
    letGo(queuedByMs, error) {
      const isOverdue = (entry: Entry) => entry.waiter !== undefined && entry.queuedAtMs <= queuedByMs;
      for (const entry of taken) if (isOverdue(entry)) release(entry, error());
      waiting = waiting.filter((entry) => !isOverdue(entry) || release(entry, error()));
      recount();
      return [...taken, ...waiting].find(({ waiter }) => waiter !== undefined)?.queuedAtMs;
    },
  };
}
