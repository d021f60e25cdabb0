import type { ApprovedBy } from "../access/approval.ts";
import type { Caller, Proof } from "../access/caller.ts";
import type { Operation } from "../config/config.ts";
import { type ErrorCode, toPrintableLine } from "../core/errors.ts";

/**
 * What the audit log says: one member for each `event`, told field by field in docs/audit.md. Closed on purpose. The
 * chain adds `seq` and `prev` before these fields and `hash` after them (`chain.ts`).
 *
 * Nothing here can hold a payload, a token or a credential; text from outside is made printable and has a bound.
 */
export type AuditEvent =
  | DecisionEvent
  | OutcomeEvent
  | ConnectionRefusedEvent
  | StartedEvent
  | StoppedEvent
  | ConfigLoadedEvent
  | ConfigRefusedEvent
  | OpenedEvent
  | RecoveredEvent
  | LostEvent
  | FileChangedEvent
  | CheckpointEvent;

interface Timed {
  /** RFC 3339 in UTC, with milliseconds. */
  readonly time: string;
}

interface OfCall extends Timed {
  /** The request's id: the same in the log and in what Google's audit log has as the reason. */
  readonly request: string;
  readonly operation: Operation;
  /** As the caller sent it, made printable. */
  readonly key: string;
  readonly caller: AuditedCaller;
  readonly rule?: string | undefined;
  readonly source?: string | undefined;
  /** Who said that it may go on, where the rule asks for that. */
  readonly approvedBy?: ApprovedBy | undefined;
  /** The first 16 hex digits of the SHA-256 of the config that decided. */
  readonly config: string;
  /** Keyed hash of the ciphertext as it stands in the sops file: the one sent, or on encrypt the one answered. */
  readonly ciphertext?: string | undefined;
}

/** Whether a request may go on, by rule and policy. Queued before any token or Cloud KMS work. */
export interface DecisionEvent extends OfCall {
  readonly event: "decision";
  readonly decision: "allowed" | "refused";
  /** The error's code where it was refused. */
  readonly code?: ErrorCode | undefined;
}

/** How a call ended. Every call has one; where there are two, the last holds. */
export interface OutcomeEvent extends OfCall {
  readonly event: "outcome";
  readonly outcome: "ok" | ErrorCode;
  readonly principal?: string | undefined;
  readonly keyVersion?: string | undefined;
  /** How it was answered, where not by a Cloud KMS request of its own. */
  readonly servedBy?: string | undefined;
  readonly latencyMs: number;
}

/** A connection that was ended before any call could come by it. */
export interface ConnectionRefusedEvent extends Timed {
  readonly event: "connection_refused";
  readonly listener: string;
  readonly problem: string;
}

export interface StartedEvent extends Timed {
  readonly event: "started";
  readonly version: string;
  readonly pid: number;
  /** SHA-256 of the config, hex. */
  readonly config: string;
}

export interface StoppedEvent extends Timed {
  readonly event: "stopped";
}

export interface ConfigLoadedEvent extends Timed {
  readonly event: "config_loaded";
  /** SHA-256 of the config, hex. */
  readonly config: string;
}

export interface ConfigRefusedEvent extends Timed {
  readonly event: "config_refused";
  readonly problem: string;
}

/** First record of every file. */
export interface OpenedEvent extends Timed {
  readonly event: "opened";
  readonly reason: OpenedReason;
  /** Counts files from 1; a rotated file has it in its name. */
  readonly file: number;
  /** The oldest file that is kept. */
  readonly oldest: number;
  /** The public key that checkpoints are signed with: SPKI, DER, base64. */
  readonly publicKey: string;
}

export type OpenedReason =
  /** There was no audit log here. */
  | "first"
  /** The file before was full. */
  | "rotated"
  /** The file before was moved by somebody else, as logrotate does. */
  | "moved"
  /** The file before was removed. */
  | "removed"
  /** The end of the file before was cut off while no server ran. */
  | "truncated"
  /** The end of the file before cannot be read as records. */
  | "damaged";

/** The process before ended while it wrote. What it had not finished was cut off; no answer depended on it. */
export interface RecoveredEvent extends Timed {
  readonly event: "recovered";
  readonly tornBytes: number;
}

/** Records that could not be written and did not fit into memory any more. With `required` none of an answered call. */
export interface LostEvent extends Timed {
  readonly event: "lost";
  readonly records: number;
  readonly since: string;
  readonly problem: string;
}

/** Somebody else wrote to the file, or cut it, while the server ran. */
export interface FileChangedEvent extends Timed {
  readonly event: "file_changed";
  readonly expectedBytes: number;
  readonly foundBytes: number;
}

/** A signature over all that stands before it. */
export interface CheckpointEvent extends Timed {
  readonly event: "checkpoint";
  readonly file: number;
}

export interface AuditedCaller {
  readonly names: readonly string[];
  readonly listener: string;
  readonly proofs: readonly Proof[];
}

/** A certificate may name thousands of hosts, and a line has a bound. */
const MAX_ITEMS = 16;

const boundedProofs = new WeakMap<readonly Proof[], readonly Proof[]>();

/** A caller as records show it. */
export function toAuditedCaller({ names, listener, proofs }: Caller): AuditedCaller {
  return { names: names.slice(0, MAX_ITEMS), listener: toPrintableLine(listener), proofs: boundProofs(proofs) };
}

/** Worked out once for the proofs of a connection, not for each of its calls. */
function boundProofs(proofs: readonly Proof[]): readonly Proof[] {
  const known = boundedProofs.get(proofs);
  if (known !== undefined) return known;
  const bounded = proofs.slice(0, MAX_ITEMS).map(toBoundedProof);
  boundedProofs.set(proofs, bounded);
  return bounded;
}

function toBoundedProof(proof: Proof): Proof {
  switch (proof.kind) {
    case "listener":
      return { kind: proof.kind, caller: proof.caller };
    case "unix_peer":
      return { kind: proof.kind, uid: proof.uid, gid: proof.gid, pid: proof.pid };
    case "certificate":
      return {
        kind: proof.kind,
        spiffeId: printable(proof.spiffeId),
        dnsNames: proof.dnsNames.slice(0, MAX_ITEMS).map(toPrintableLine),
        publicKeySha256: toPrintableLine(proof.publicKeySha256),
      };
    case "jwt":
      return {
        kind: proof.kind,
        issuer: toPrintableLine(proof.issuer),
        subject: printable(proof.subject),
        callers: proof.callers.slice(0, MAX_ITEMS),
      };
  }
}

function printable(text: string | undefined): string | undefined {
  return text === undefined ? undefined : toPrintableLine(text);
}
