import type { ApprovedBy } from "../access/approval.ts";
import type { Caller } from "../access/caller.ts";
import type { Operation } from "../config/config.ts";
import type { Clock } from "../core/clock.ts";
import { type ErrorCode, type KeyServiceError, toPrintableLine } from "../core/errors.ts";
import type { Journal } from "./journal.ts";
import { type AuditEvent, toAuditedCaller } from "./record.ts";
import type { Ticket } from "./record-queue.ts";
import type { SigningKey } from "./signing-key.ts";

/** What is known of a call when it comes. */
export interface AuditedCall {
  readonly requestId: string;
  readonly operation: Operation;
  /** As the caller sent it. */
  readonly key: string;
  /** Asked when something is recorded: a token may prove who it is only after the call began. */
  readonly caller: () => Caller;
}

/** How a call was answered. */
export interface AuditedAnswer {
  readonly rule: string;
  readonly source: string;
  readonly principal?: string;
  readonly keyVersion?: string;
  readonly servedBy?: string;
}

/** The account of one call. */
export interface CallAudit {
  /**
   * Rule and policy let the call through. Before any token or Cloud KMS work, which goes on while the record is written.
   *
   * @throws KeyServiceError `audit_unavailable` where records are required and cannot be written: the call must not go on
   */
  allowed(rule: string, source: string, approvedBy?: ApprovedBy): void;
  /**
   * There is an answer. Before any of it leaves.
   *
   * @returns what must be waited for: it resolves when all records of the call are safe, and rejects with
   * `audit_unavailable` where they are not, and then the call must not be answered. Undefined: nothing is waited for.
   */
  answered(answer: AuditedAnswer, bytes: Uint8Array, latencyMs: number): Promise<void> | undefined;
  /** There is none. */
  failed(error: KeyServiceError, latencyMs: number): void;
}

/** Keeps account of what is decided and what comes of it. */
export interface Audit {
  /** @param ciphertext what a decrypt brings; undefined where it is an encrypt */
  begin(call: AuditedCall, ciphertext: Uint8Array | undefined): CallAudit;
  /** What is no call. Nothing waits for it. */
  note(event: UntimedEvent): void;
  /** Resolves when no call is left that was begun. */
  idle(): Promise<void>;
}

/** Leaves the time to the audit. */
export type UntimedEvent = DistributiveOmit<Extract<AuditEvent, { event: NotedEvent }>, "time">;
type NotedEvent = "connection_refused" | "started" | "stopped" | "config_loaded" | "config_refused";
type DistributiveOmit<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never;

export interface AuditOptions {
  readonly journal: Journal;
  /** Whether a call waits for its records. */
  readonly required: boolean;
  readonly key: SigningKey;
  readonly clock: Clock;
  /** SHA-256 of the config that is in force, hex. */
  readonly configHash: () => string;
}

const CONFIG_HASH_DIGITS = 16;

/** Errors by which rule and policy refuse; whatever else ends a call comes before or after their decision. */
const REFUSALS: ReadonlySet<ErrorCode> = new Set([
  "rule_not_found",
  "caller_not_allowed",
  "caller_limit_exceeded",
  "approval_refused",
]);

export function createAudit({ journal, required, key, clock, configHash }: AuditOptions): Audit {
  const now = () => new Date(clock.nowMs()).toISOString();
  let open = 0;
  let idle: PromiseWithResolvers<void> | undefined;

  function settle(): void {
    open -= 1;
    if (open === 0) idle?.resolve();
  }

  function begin(call: AuditedCall, ciphertext: Uint8Array | undefined): CallAudit {
    open += 1;
    const facts = {
      request: call.requestId,
      operation: call.operation,
      key: toPrintableLine(call.key),
      config: configHash().slice(0, CONFIG_HASH_DIGITS),
      ciphertext: ciphertext === undefined ? undefined : key.fingerprint(ciphertext),
    };
    const caller = () => toAuditedCaller(call.caller());
    let approval: ApprovedBy | undefined;
    let intent: Ticket | undefined;

    return {
      allowed(rule, source, approvedBy) {
        if (required) journal.assertWritable();
        approval = approvedBy;
        intent = journal.note({
          event: "decision",
          time: now(),
          ...facts,
          caller: caller(),
          decision: "allowed",
          rule,
          source,
          approvedBy,
        });
      },
      answered(answer, bytes, latencyMs) {
        const hash = facts.ciphertext ?? key.fingerprint(bytes);
        const event = {
          event: "outcome",
          time: now(),
          ...facts,
          caller: caller(),
          outcome: "ok",
          rule: answer.rule,
          source: answer.source,
          approvedBy: approval,
          principal: answer.principal,
          keyVersion: answer.keyVersion,
          servedBy: answer.servedBy,
          ciphertext: hash,
          latencyMs: roundLatency(latencyMs),
        } as const;
        // It would say that a key was handed out: where that can't be written, none is, and `failed` says so.
        if (required) return journal.write(event, intent).then(settle);
        journal.note(event);
        settle();
        return undefined;
      },
      failed(error, latencyMs) {
        const { rule, source, principal } = error.detail;
        const { code } = error;
        if (REFUSALS.has(code)) {
          journal.note({ event: "decision", time: now(), ...facts, caller: caller(), decision: "refused", code, rule });
        }
        const outcome = { rule, source, approvedBy: approval, principal, latencyMs: roundLatency(latencyMs) };
        journal.note({ event: "outcome", time: now(), ...facts, caller: caller(), outcome: code, ...outcome });
        settle();
      },
    };
  }

  return {
    begin,
    note: (event) => journal.note({ ...event, time: now() }),
    idle() {
      if (open === 0) return Promise.resolve();
      idle ??= Promise.withResolvers<void>();
      return idle.promise;
    },
  };
}

function roundLatency(latencyMs: number): number {
  return Math.round(latencyMs * 100) / 100;
}
