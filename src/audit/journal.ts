import type { Clock } from "../core/clock.ts";
import { KeyServiceError } from "../core/errors.ts";
import type { AuditLog } from "./file-log.ts";
import { codeOf } from "./file-system.ts";
import { createLossCount, describeLoss } from "./loss.ts";
import type { AuditEvent } from "./record.ts";

/**
 * The queue before the log: whatever comes while records are being written goes with the next write, so that many
 * calls share one sync of the disk.
 */
export interface Journal {
  /** Queues a record. Where memory for them is full, the oldest is dropped and counted. */
  note(event: AuditEvent): void;
  /**
   * Queues a record and resolves when it is safe.
   *
   * @param withdraw takes the record back where that fails, since what it says is then not so
   * @throws KeyServiceError `audit_unavailable` after the time limit, or at once while the log cannot be written
   */
  write(event: AuditEvent, withdraw: boolean): Promise<void>;
  /** Writes to `next` from the next batch on, and closes the log before; what is queued goes to `next`. */
  replace(next: () => Promise<AuditLog>): Promise<void>;
  /** Writes what is queued, as far as that works, signs it, and closes the log. */
  close(): Promise<void>;
  readonly state: JournalState;
}

export interface JournalState {
  /** Why records cannot be written at the moment: `ENOSPC`. */
  readonly broken: string | undefined;
  /** Records that were dropped since the start. */
  readonly lost: number;
  /** Writes that failed since the start. */
  readonly failures: number;
}

export interface JournalOptions {
  readonly clock: Clock;
  /** How long a call waits for its record. */
  readonly timeoutMs: () => number;
  /** How often records that are not yet signed make for a checkpoint. */
  readonly checkpointIntervalMs: () => number;
  readonly warn: (message: string) => void;
  readonly info: (message: string) => void;
  /** Told of every batch that is safe. Must not throw. */
  readonly published: (lines: readonly string[]) => void;
}

interface Entry {
  readonly event: AuditEvent;
  readonly queuedAtMs: number;
  /** Whether its record is taken back where it is not safe in time. */
  readonly withdraw: boolean;
  waiter: PromiseWithResolvers<void> | undefined;
  withdrawn: boolean;
}

/** Some megabytes. */
const MAX_QUEUED = 10_000;
/** Bounds how long one write takes, and so what a crash can tear. */
const MAX_BATCH = 1_000;
/** From so many records in a batch on, the next waits a little: few large writes cost far less than many small ones. */
const BUSY_RECORDS = 6;
const GATHER_MS = 2;
const FIRST_RETRY_MS = 50;
const LONGEST_RETRY_MS = 1_000;
/** Between two lines of the log about the same trouble. */
const REPEAT_WARNING_MS = 30_000;

export function createJournal(first: AuditLog, options: JournalOptions): Journal {
  const { clock, warn } = options;
  let log = first;
  let queue: Entry[] = [];
  let inFlight: Entry[] = [];
  let working: Promise<void> | undefined;
  let broken: string | undefined;
  let closed = false;
  let paused = false;
  let closing = false;
  /** Whether the last batch had records of several calls. */
  let isBusy = false;
  let retryMs = FIRST_RETRY_MS;
  let lost = 0;
  let failures = 0;
  const losses = createLossCount();
  let warnedAtMs = Number.NEGATIVE_INFINITY;
  let watching = false;
  let cancelRetry = () => {};
  let cancelCheckpoint: (() => void) | undefined;

  function enqueue(entry: Entry): void {
    queue.push(entry);
    if (queue.length > MAX_QUEUED) drop();
    wake();
  }

  function drop(): void {
    const oldest = queue.shift();
    if (oldest === undefined) return;
    lost += 1;
    losses.add(oldest.event);
    oldest.waiter?.reject(unavailable("too many records wait to be written"));
  }

  function wake(): void {
    if (working !== undefined || broken !== undefined || paused || closed) return;
    start(work());
  }

  /** One piece of work at a time writes. What was queued while it ended is not forgotten. */
  function start(work: Promise<void>): void {
    working = work.finally(() => {
      working = undefined;
      if (queue.length > 0) wake();
    });
  }

  async function work(): Promise<void> {
    await gather();
    await writeAll();
  }

  async function writeAll(): Promise<void> {
    while (queue.length > 0 && broken === undefined && !paused) {
      await writeBatch();
      if (isBusy && broken === undefined) await gather();
    }
  }

  /** What the same turn of the event loop brings goes into one batch; among many calls, what a moment brings. Not while
   * broken: then the retry is the one that writes. */
  function gather(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    if (isBusy && !closing) clock.schedule(GATHER_MS, resolve);
    else setImmediate(resolve);
    return promise;
  }

  async function writeBatch(): Promise<void> {
    inFlight = queue.slice(0, MAX_BATCH);
    isBusy = inFlight.length >= BUSY_RECORDS;
    queue = queue.slice(MAX_BATCH);
    const loss = losses.take();
    const told = loss === undefined ? [] : [describeLoss(loss, new Date(clock.nowMs()).toISOString())];
    try {
      const lines = await log.commit([...told, ...inFlight.map(({ event }) => event)]);
      acknowledge(lines);
    } catch (thrown) {
      losses.giveBack(loss);
      fail(codeOf(thrown));
    }
  }

  function acknowledge(lines: readonly string[]): void {
    for (const { waiter } of inFlight) waiter?.resolve();
    inFlight = [];
    retryMs = FIRST_RETRY_MS;
    if (lines.length === 0) return;
    options.published(lines);
    scheduleCheckpoint();
  }

  function fail(code: string): void {
    broken = code;
    failures += 1;
    const entries = [...inFlight, ...queue];
    inFlight = [];
    queue = entries.filter((entry) => !giveUp(entry, unavailable(`it cannot be written (${code})`)));
    if (clock.monotonicMs() - warnedAtMs >= REPEAT_WARNING_MS) {
      warnedAtMs = clock.monotonicMs();
      warn(`the audit log cannot be written (${code}); trying again until it can`);
    }
    cancelRetry = clock.schedule(retryMs, retry);
    retryMs = Math.min(2 * retryMs, LONGEST_RETRY_MS);
  }

  /** @returns whether its record is taken back */
  function giveUp(entry: Entry, error: KeyServiceError): boolean {
    const { waiter } = entry;
    entry.waiter = undefined;
    if (waiter === undefined) return entry.withdrawn;
    waiter.reject(error);
    entry.withdrawn = entry.withdraw;
    return entry.withdrawn;
  }

  function retry(): void {
    const before = broken;
    broken = undefined;
    start(attempt(before));
  }

  async function attempt(before: string | undefined): Promise<void> {
    await writeBatch();
    if (broken !== undefined) return;
    warnedAtMs = Number.NEGATIVE_INFINITY;
    options.info(`the audit log can be written again (it was ${before})`);
    await writeAll();
  }

  /** One timer for all who wait: the oldest decides when it rings. */
  function watch(afterMs: number): void {
    watching = true;
    clock.schedule(afterMs, () => {
      watching = false;
      const timeoutMs = options.timeoutMs();
      const error = unavailable(`it took longer than ${timeoutMs} ms to write`);
      const overdueMs = clock.monotonicMs() - timeoutMs;
      for (const entry of inFlight) if (entry.queuedAtMs <= overdueMs) giveUp(entry, error);
      queue = queue.filter((entry) => entry.queuedAtMs > overdueMs || !giveUp(entry, error));
      const oldest = [...inFlight, ...queue].find(({ waiter }) => waiter !== undefined);
      if (oldest !== undefined) watch(oldest.queuedAtMs - overdueMs);
    });
  }

  function scheduleCheckpoint(): void {
    cancelCheckpoint ??= clock.schedule(options.checkpointIntervalMs(), () => {
      cancelCheckpoint = undefined;
      signNow();
    });
  }

  /** An empty batch, where nothing else is being written: the log signs what it has not signed. */
  function signNow(): void {
    if (working !== undefined || broken !== undefined || paused || closed) return;
    start(writeBatch());
  }

  async function closeQuietly(): Promise<void> {
    await log.close().catch((thrown: unknown) => warn(`the audit log could not be ended well (${codeOf(thrown)})`));
  }

  return {
    note(event) {
      if (closed) return;
      enqueue({ event, queuedAtMs: clock.monotonicMs(), withdraw: false, waiter: undefined, withdrawn: false });
    },
    write(event, withdraw) {
      if (closed) return Promise.reject(unavailable("it is closed"));
      const entry: Entry = { event, queuedAtMs: clock.monotonicMs(), withdraw, waiter: undefined, withdrawn: false };
      if (broken !== undefined) {
        if (!withdraw) enqueue(entry);
        return Promise.reject(unavailable(`it cannot be written (${broken})`));
      }
      const waiter = Promise.withResolvers<void>();
      entry.waiter = waiter;
      enqueue(entry);
      if (!watching) watch(options.timeoutMs());
      return waiter.promise;
    },
    async replace(next) {
      paused = true;
      cancelRetry();
      await working;
      await closeQuietly();
      try {
        log = await next();
      } catch (thrown) {
        log = { commit: () => Promise.reject(thrown), close: () => Promise.resolve() };
        throw thrown;
      } finally {
        paused = false;
        broken = undefined;
        wake();
      }
    },
    async close() {
      closing = true;
      cancelRetry();
      await working;
      broken = undefined;
      start(writeAll());
      await working;
      closed = true;
      cancelRetry();
      cancelCheckpoint?.();
      await closeQuietly();
    },
    get state() {
      return { broken, lost, failures };
    },
  };
}

function unavailable(why: string): KeyServiceError {
  return new KeyServiceError("audit_unavailable", {
    problem: `nothing is answered that cannot be audited, and the audit log is not to be had: ${why}`,
    remedy: "try again in a moment; if it stays, look at the disk of audit.file, and at the log of sops-keyd",
  });
}
