import type { Caller, Proof } from "../access/caller.ts";
import type { AccessRequest } from "../access/decision.ts";
import type { Clock } from "../core/clock.ts";
import { RecentMap } from "../core/recent-map.ts";

/** Approvals that are good for a while: for the same caller, operation and key, which is what was asked about. */
export interface ApprovalMemory {
  has(request: AccessRequest): boolean;
  remember(request: AccessRequest, durationMs: number): void;
}

/** What is dropped is asked about again. */
const MAX_REMEMBERED = 1024;

export function createApprovalMemory(clock: Clock): ApprovalMemory {
  /** When each ends, monotonic. */
  const ends = new RecentMap<string, number>(MAX_REMEMBERED);
  return {
    has: (request) => (ends.get(describe(request)) ?? Number.NEGATIVE_INFINITY) > clock.monotonicMs(),
    remember(request, durationMs) {
      ends.set(describe(request), clock.monotonicMs() + durationMs);
    },
  };
}

function describe({ operation, key, caller }: AccessRequest): string {
  return JSON.stringify([operation, key, ...identify(caller)]);
}

/** All that tells a caller from others: its names, and what it has shown but for what changes from call to call. */
function identify({ listener, names, proofs }: Caller): readonly unknown[] {
  return [listener, names, proofs.map(withoutProcess)];
}

function withoutProcess(proof: Proof): unknown {
  return proof.kind === "unix_peer" ? { uid: proof.uid, gid: proof.gid } : proof;
}
