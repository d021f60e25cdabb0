import type { Clock } from "../core/clock.ts";
import { KeyServiceError } from "../core/errors.ts";
import type { AuditLog } from "./file-log.ts";
import { codeOf } from "./file-system.ts";
import { describeLoss } from "./loss.ts";
import type { AuditEvent } from "./record.ts";
import { createRecordQueue, type Ticket } from "./record-queue.ts";

/**
 * The queue before the log: whatever comes while records are being written goes with the next write, so that many
 * calls share one sync of the disk.
 */
export interface Journal {
  /**
   * Whether a record that is queued now can be expected to be safe soon.
   *
   * @throws KeyServiceError `audit_unavailable` while writing fails, or hangs
   */
  assertWritable(): void;
  /** Queues a record. Where memory for them is full, the oldest is dropped and counted. */
  note(event: AuditEvent): Ticket;
  /**
   * Queues a record and resolves when it is safe. Where it fails the record is taken back, since what it says is then
   * not so.
   *
   * @param after a record queued before it, which must be safe as well
   * @throws KeyServiceError `audit_unavailable` after the time limit, or at once while the log cannot be written
   */
  write(event: AuditEvent, after?: Ticket): Promise<void>;
  /** Writes what is queued and closes the log; what comes meanwhile, and what could not be written, goes to `next`. */
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

/** Some megabytes. */
const MAX_QUEUED = 10_000;
/** Bounds how long one write takes, and so what a crash can tear. */
const MAX_BATCH = 1_000;
/** Nobody waits for these: they go with a record that somebody waits for, or after so long by themselves. */
const UNAWAITED_MS = 10;
/** From so many records in a batch on, writes begin no closer to each other than this: few large ones cost far less. */
const BUSY_RECORDS = 6;
const BUSY_INTERVAL_MS = 3;
const FIRST_RETRY_MS = 50;
const LONGEST_RETRY_MS = 1_000;
/** Between two lines of the log about the same trouble. */
const REPEAT_WARNING_MS = 30_000;

export function createJournal(first: AuditLog, options: JournalOptions): Journal {
  const { clock, warn } = options;
  const queue = createRecordQueue({
    maxRecords: MAX_QUEUED,
    describeLoss: (loss) => describeLoss(loss, new Date(clock.nowMs()).toISOString()),
    tooMany: () => unavailable("too many records wait to be written"),
  });
  let log = first;
  /** The only one that writes. */
  let writing: Promise<void> | undefined;
  let writingSinceMs = 0;
  /** What the next write waits for: more records, of which a call waits for one or not. */
  let gathering: "awaited" | "unawaited" | undefined;
  let cancelGathering = () => {};
  let broken: string | undefined;
  let paused = false;
  let closed = false;
  /** Whether the last batch had records of several calls. */
  let isBusy = false;
  let retryMs = FIRST_RETRY_MS;
  let failures = 0;
  let warnedAtMs = Number.NEGATIVE_INFINITY;
  let watching = false;
  let cancelRetry = () => {};
  let cancelCheckpoint: (() => void) | undefined;

  const isHeldUp = () => writing !== undefined || broken !== undefined || paused || closed;

  /** Has what is queued written, soon. While it cannot be written the retry does that, and while it is, its end. */
  function wake(): void {
    if (queue.size === 0 || isHeldUp()) return;
    const wanted = queue.isWaitedFor ? "awaited" : "unawaited";
    if (gathering === "awaited" || gathering === wanted) return;
    stopGathering();
    gathering = wanted;
    cancelGathering = wanted === "unawaited" ? clock.schedule(UNAWAITED_MS, start) : gather();
  }

  /** What the same turn of the event loop brings goes into one batch; among many calls, what a moment brings. */
  function gather(): () => void {
    const earlyMs = isBusy ? writingSinceMs + BUSY_INTERVAL_MS - clock.monotonicMs() : 0;
    if (earlyMs > 0) return clock.schedule(earlyMs, start);
    const immediate = setImmediate(start);
    return () => clearImmediate(immediate);
  }

  function stopGathering(): void {
    cancelGathering();
    gathering = undefined;
  }

  function start(): void {
    stopGathering();
    writingSinceMs = clock.monotonicMs();
    writing = writeBatch().finally(() => {
      writing = undefined;
      wake();
    });
  }

  async function writeBatch(): Promise<void> {
    const events = queue.take(MAX_BATCH);
    isBusy = events.length >= BUSY_RECORDS;
    try {
      const lines = await log.commit(events);
      acknowledge(lines);
    } catch (thrown) {
      fail(codeOf(thrown));
    }
  }

  function acknowledge(lines: readonly string[]): void {
    if (broken !== undefined) recover(broken);
    queue.settle();
    if (lines.length === 0) return;
    options.published(lines);
    scheduleCheckpoint();
  }

  function recover(from: string): void {
    broken = undefined;
    retryMs = FIRST_RETRY_MS;
    warnedAtMs = Number.NEGATIVE_INFINITY;
    options.info(`the audit log can be written again (it was ${from})`);
  }

  function fail(code: string): void {
    broken = code;
    failures += 1;
    queue.putBack(cannotWrite(code));
    if (clock.monotonicMs() - warnedAtMs >= REPEAT_WARNING_MS) {
      warnedAtMs = clock.monotonicMs();
      warn(`the audit log cannot be written (${code}); trying again until it can`);
    }
    cancelRetry = clock.schedule(retryMs, start);
    retryMs = Math.min(2 * retryMs, LONGEST_RETRY_MS);
  }

  /** One timer for all who wait: the oldest decides when it rings. */
  function watch(afterMs: number): void {
    watching = true;
    clock.schedule(afterMs, () => {
      watching = false;
      const overdueMs = clock.monotonicMs() - options.timeoutMs();
      const oldestMs = queue.letGo(overdueMs, tookTooLong);
      if (oldestMs !== undefined) watch(oldestMs - overdueMs);
    });
  }

  function tookTooLong(): KeyServiceError {
    return unavailable(`it took longer than ${options.timeoutMs()} ms to write`);
  }

  function scheduleCheckpoint(): void {
    cancelCheckpoint ??= clock.schedule(options.checkpointIntervalMs(), () => {
      cancelCheckpoint = undefined;
      // An empty batch, where nothing else is being written: the log signs what it has not signed.
      if (!isHeldUp()) start();
    });
  }

  /** Resolves when nothing is being written, and nothing will be by itself. */
  async function hold(): Promise<void> {
    stopGathering();
    await writing;
    cancelRetry();
    stopGathering();
  }

  async function closeQuietly(): Promise<void> {
    await log.close().catch((thrown: unknown) => warn(`the audit log could not be ended well (${codeOf(thrown)})`));
  }

  return {
    assertWritable() {
      if (closed) throw unavailable("it is closed");
      if (broken !== undefined) throw cannotWrite(broken);
      if (writing !== undefined && clock.monotonicMs() - writingSinceMs > options.timeoutMs()) throw tookTooLong();
    },
    note(event) {
      if (closed) return { dropped: true };
      const ticket = queue.add(event, clock.monotonicMs());
      wake();
      return ticket;
    },
    async write(event, after) {
      if (closed) throw unavailable("it is closed");
      if (broken !== undefined) throw cannotWrite(broken);
      const waiter = Promise.withResolvers<void>();
      queue.add(event, clock.monotonicMs(), waiter);
      wake();
      if (!watching) watch(options.timeoutMs());
      await waiter.promise;
      if (after?.dropped === true) throw unavailable("too many records wait to be written");
    },
    async replace(next) {
      paused = true;
      await hold();
      if (queue.size > 0 && broken === undefined) await writeBatch();
      cancelRetry();
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
      paused = true;
      await hold();
      broken = undefined;
      while (queue.size > 0 && broken === undefined) await writeBatch();
      closed = true;
      cancelRetry();
      cancelCheckpoint?.();
      await closeQuietly();
    },
    get state() {
      return { broken, lost: queue.lost, failures };
    },
  };
}

function cannotWrite(code: string): KeyServiceError {
  return unavailable(`it cannot be written (${code})`);
}

function unavailable(why: string): KeyServiceError {
  return new KeyServiceError("audit_unavailable", {
    problem: `nothing is answered that cannot be audited, and the audit log is not to be had: ${why}`,
    remedy: "try again in a moment; if it stays, look at the disk of audit.file, and at the log of sops-keyd",
  });
}
