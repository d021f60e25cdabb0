import type { AuditConfig, Config } from "../config/config.ts";
import { atMost } from "../core/deadline.ts";
import { type Audit, createAudit, type UntimedEvent } from "./audit.ts";
import type { AuditLog } from "./file-log.ts";
import { createJournal, type Journal, type JournalState } from "./journal.ts";
import { type AuditParts, type AuditSurroundings, closeParts, openLog, openParts } from "./parts.ts";

/** The audit of a running server, from its start to its end, over all its configs. */
export interface AuditTrail {
  /** Undefined where the config in force wants none. */
  current(): Audit | undefined;
  /**
   * Opens what the next config wants. The function that it resolves with puts that into force.
   *
   * @throws AuditOpenError; then all is as before
   */
  prepare(next: Config): Promise<() => void>;
  note(event: UntimedEvent): void;
  readonly state: JournalState | undefined;
  /** Writes and signs what is left. */
  close(): Promise<void>;
}

/** @throws AuditOpenError where the log cannot be written at all */
export async function openAuditTrail(first: Config, surroundings: AuditSurroundings): Promise<AuditTrail> {
  const { clock, warn, error, info, version } = surroundings;
  let parts: AuditParts | undefined;
  let journal: Journal | undefined;
  let audit: Audit | undefined;
  let configHash = first.hash;

  function begin(log: AuditLog, { config }: AuditParts): Journal {
    const required = () => parts?.config.required ?? config.required;
    return createJournal(log, {
      clock,
      timeoutMs: () => parts?.config.timeoutMs ?? config.timeoutMs,
      checkpointIntervalMs: () => parts?.config.checkpoint.intervalMs ?? config.checkpoint.intervalMs,
      warn: (message) => (required() ? error : warn)(message),
      info,
      published: (lines) => {
        for (const sink of parts?.sinks ?? []) sink.publish(lines);
      },
    });
  }

  /** Gives the journal the next log, or none; where that fails, the one before. */
  async function switchTo(next: AuditParts): Promise<void> {
    if (journal === undefined) {
      journal = begin(await openLog(next, surroundings), next);
      return;
    }
    const before = parts;
    try {
      await journal.replace(() => openLog(next, surroundings));
    } catch (thrown) {
      if (before !== undefined) await journal.replace(() => openLog(before, surroundings));
      throw thrown;
    }
  }

  function putIntoForce(next: AuditParts | undefined): void {
    const before = parts;
    parts = next;
    audit = next === undefined || journal === undefined ? undefined : auditOf(next, journal);
    closeParts(before, next).catch(() => warn("the audit log's sinks of before could not be closed"));
  }

  function auditOf({ config, key }: AuditParts, into: Journal): Audit {
    return createAudit({ journal: into, required: config.required, key, clock, configHash: () => configHash });
  }

  async function turnOff(): Promise<void> {
    const last = journal;
    journal = undefined;
    await audit?.idle();
    await last?.close();
  }

  async function prepare(next: Config): Promise<() => void> {
    const loaded = () => {
      configHash = next.hash;
      audit?.note({ event: "config_loaded", config: next.hash });
    };
    if (isSame(parts?.config, next.audit)) return loaded;
    if (next.audit === undefined) {
      return () => {
        loaded();
        const off = turnOff();
        off.finally(() => putIntoForce(undefined)).catch(() => warn("the audit log could not be ended well"));
        audit = undefined;
      };
    }
    const opened = await openParts(next.audit, parts, surroundings);
    try {
      await switchTo(opened);
    } catch (thrown) {
      await closeParts(opened, parts);
      throw thrown;
    }
    return () => {
      putIntoForce(opened);
      loaded();
    };
  }

  const putFirst = await prepare(first);
  putFirst();
  audit?.note({ event: "started", version, pid: process.pid, config: first.hash });
  return {
    current: () => audit,
    prepare,
    note: (event) => audit?.note(event),
    get state() {
      return journal?.state;
    },
    async close() {
      await atMost(clock, LAST_CALLS_MS, audit?.idle() ?? Promise.resolve());
      audit?.note({ event: "stopped" });
      await journal?.close();
      await closeParts(parts, undefined);
    },
  };
}

/** A call that was cut off ends a moment later; one that never does must not keep the log from being signed. */
const LAST_CALLS_MS = 1_000;

function isSame(one: AuditConfig | undefined, other: AuditConfig | undefined): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}
