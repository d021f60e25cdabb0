import { type ServiceError, status } from "@grpc/grpc-js";

/** How a call ended that must never end so. */
export type Breach =
  /** OK, and not the right bytes. */
  | "wrong answer"
  /** After its deadline, even with room for a busy machine. */
  | "late"
  /** A rule whose way is well failed. */
  | "the other rule failed"
  /** Its status is one that says: a bug. */
  | "unforeseen status"
  /** A bad request was answered as if it were none. */
  | "bad request answered";

/** What is asked. */
export interface Asked {
  readonly kind: "good" | "bad" | "cancelled";
  readonly rule: string;
  /** Whether faults may be told of. */
  readonly isTroubled: boolean;
  readonly deadlineMs: number;
}

export interface Outcomes {
  /** By gRPC status; `OK` for right answers. */
  readonly counts: Readonly<Record<string, number>>;
  readonly breaches: readonly string[];
  readonly calls: number;
  answered(asked: Asked, isRight: boolean, tookMs: number): void;
  failed(asked: Asked, error: ServiceError, tookMs: number): void;
}

/** A machine that does other things as well may be so late. */
const LATENESS_MS = 10_000;
const MOST_BREACHES_TOLD = 20;
/** What no fault of this soak may look like. */
const UNFORESEEN: readonly status[] = [status.INTERNAL, status.UNKNOWN, status.OUT_OF_RANGE, status.ABORTED];

export function createOutcomes(): Outcomes {
  const counts: Record<string, number> = {};
  const breaches: string[] = [];
  let calls = 0;

  function count(asked: Asked, name: string, tookMs: number): void {
    calls += 1;
    counts[name] = (counts[name] ?? 0) + 1;
    if (tookMs > asked.deadlineMs + LATENESS_MS) breach("late", asked, `${Math.round(tookMs)} ms, ${name}`);
  }

  function breach(kind: Breach, asked: Asked, detail: string): void {
    if (breaches.length < MOST_BREACHES_TOLD) breaches.push(`${kind}: ${asked.kind} call of ${asked.rule}: ${detail}`);
  }

  return {
    counts,
    breaches,
    get calls() {
      return calls;
    },
    answered(asked, isRight, tookMs) {
      count(asked, "OK", tookMs);
      if (!isRight) breach("wrong answer", asked, "OK");
      if (asked.kind === "bad") breach("bad request answered", asked, "OK");
    },
    failed(asked, { code, details }, tookMs) {
      count(asked, status[code], tookMs);
      const told = `${status[code]} ${details}`;
      if (UNFORESEEN.includes(code)) breach("unforeseen status", asked, told);
      if (asked.kind === "good" && !asked.isTroubled) breach("the other rule failed", asked, told);
    },
  };
}
