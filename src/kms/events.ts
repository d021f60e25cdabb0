import type { CircuitEvent } from "./circuit-breaker.ts";
import type { QuotaEvent } from "./quota-limiter.ts";

/** What an operator should know of the way to Cloud KMS, beyond the outcome of single calls. */
export type KmsEvent =
  | (CircuitEvent & { readonly rule: string })
  | QuotaEvent
  | {
      readonly kind: "answer_discarded";
      readonly rule: string;
      readonly host: string;
      readonly why: string;
      /** How many of this rule's, with this one, since the config was taken. */
      readonly count: number;
    };

/** One sentence for the log. */
export function describeKmsEvent(event: KmsEvent): string {
  switch (event.kind) {
    case "circuit_opened":
      return `rule ${event.rule}: Cloud KMS at ${event.host} is out of service, calls are refused until it answers again: ${event.why}`;
    case "circuit_closed":
      return `rule ${event.rule}: Cloud KMS at ${event.host} answers again after ${(event.openForMs / 1_000).toFixed(1)} s`;
    case "quota_limited":
      return `the quota of project ${event.quota.project} in ${event.quota.location} is used up: calls are held to about ${event.callsPerSecond.toFixed(0)} a second, and more once it allows them`;
    case "answer_discarded":
      return `rule ${event.rule}: discarded what Cloud KMS at ${event.host} answered, number ${event.count}: ${event.why}`;
  }
}
