import type { AccessRequest } from "../access/decision.ts";

/** What is to be approved. */
export interface ApprovalQuestion {
  readonly request: AccessRequest;
  readonly rule: string;
  /** From the call's arrival: what it waits for its turn counts. */
  readonly timeoutMs: number;
}

/** What came of a question. Silence is no answer: that is the signal's matter. */
export type Verdict =
  | { readonly approved: true }
  | {
      readonly approved: false;
      readonly problem: string;
      readonly remedy: string;
    };
