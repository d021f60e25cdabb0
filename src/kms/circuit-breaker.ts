import type { Clock } from "../core/clock.ts";
import { createDeadline } from "../core/deadline.ts";
import { KeyServiceError } from "../core/errors.ts";
import type { Random } from "./backoff.ts";
import { createFailureHistory, type FailureHistory } from "./failure-history.ts";

/** How one attempt that was let through ended; exactly one of them is called. */
export interface Permit {
  /** The endpoint answered, whatever it said. */
  endpointIsWell(): void;
  /** @param why in a few words, for those who are refused because of it */
  endpointIsIll(why: string): void;
  /** It ended before the endpoint could show how it is. */
  abandoned(): void;
}

/** Keeps calls from an endpoint that is ill, so that they fail at once instead of waiting for it. */
export interface CircuitBreaker {
  /** @throws KeyServiceError `kms_unavailable` while the circuit is open */
  enter(): Permit;
  close(): void;
}

export type CircuitEvent =
  | { readonly kind: "circuit_opened"; readonly host: string; readonly why: string }
  | { readonly kind: "circuit_closed"; readonly host: string; readonly openForMs: number };

export interface CircuitBreakerOptions {
  readonly host: string;
  /** Resolves if the endpoint answers anything. */
  readonly probe: (signal: AbortSignal) => Promise<void>;
  readonly clock: Clock;
  readonly random: Random;
  readonly report: (event: CircuitEvent) => void;
}

const FIRST_PROBE_MS = 500;
/** So that service is back within five seconds of the endpoint. */
const LAST_PROBE_MS = 4_000;
const PROBE_TIMEOUT_MS = 2_000;

interface Trouble {
  /** Wall clock, for people. */
  readonly sinceMs: number;
  readonly sinceMonotonicMs: number;
  readonly why: string;
  /** Probes and trials that failed since. */
  failures: number;
}

type State =
  | { readonly kind: "closed"; readonly history: FailureHistory }
  /** Nothing passes; a probe is under way or scheduled. */
  | { readonly kind: "open"; readonly trouble: Trouble }
  /** The endpoint answers again. One call goes ahead and shows whether it serves. */
  | { readonly kind: "half_open"; readonly trouble: Trouble; trialRuns: boolean };

/**
 * Opens when attempts fail for what the endpoint is, not for what it was asked. While open it probes on its own, ever
 * less often down to every four seconds, and closes once a probe and then a call were answered.
 */
export function createCircuitBreaker(options: CircuitBreakerOptions): CircuitBreaker {
  const { host, clock } = options;
  const closing = new AbortController();
  let state: State = { kind: "closed", history: createFailureHistory(clock) };
  let cancelTimer: () => void = () => {};

  function open(trouble: Trouble): void {
    state = { kind: "open", trouble };
    if (closing.signal.aborted) return;
    const boundMs = Math.min(LAST_PROBE_MS, FIRST_PROBE_MS * 2 ** trouble.failures);
    // Half of it jitter: rules and replicas that lost the same endpoint do not come back in step.
    cancelTimer = clock.schedule(boundMs * (0.5 + options.random() / 2), () => void probe(trouble));
  }

  async function probe(trouble: Trouble): Promise<void> {
    using deadline = createDeadline(clock, PROBE_TIMEOUT_MS, "the probe was not answered", closing.signal);
    try {
      await options.probe(deadline.signal);
      state = { kind: "half_open", trouble, trialRuns: false };
    } catch {
      trouble.failures += 1;
      open(trouble);
    }
  }

  const regular: Permit = {
    endpointIsWell() {
      if (state.kind === "closed") state.history.add(false);
    },
    endpointIsIll(why) {
      // What was under way when the circuit opened tells nothing new.
      if (state.kind !== "closed" || !state.history.add(true)) return;
      open({ sinceMs: clock.nowMs(), sinceMonotonicMs: clock.monotonicMs(), why, failures: 0 });
      options.report({ kind: "circuit_opened", host, why });
    },
    abandoned() {},
  };

  function startTrial(halfOpen: Extract<State, { kind: "half_open" }>): Permit {
    halfOpen.trialRuns = true;
    const { trouble } = halfOpen;
    return {
      endpointIsWell() {
        state = { kind: "closed", history: createFailureHistory(clock) };
        options.report({ kind: "circuit_closed", host, openForMs: clock.monotonicMs() - trouble.sinceMonotonicMs });
      },
      endpointIsIll() {
        trouble.failures += 1;
        open(trouble);
      },
      abandoned() {
        halfOpen.trialRuns = false;
      },
    };
  }

  return {
    enter() {
      if (state.kind === "closed") return regular;
      if (state.kind === "half_open" && !state.trialRuns) return startTrial(state);
      throw openError(host, state.trouble);
    },
    close() {
      closing.abort();
      cancelTimer();
    },
  };
}

function openError(host: string, { sinceMs, why }: Trouble): KeyServiceError {
  const since = `${new Date(sinceMs).toISOString().slice(0, 19)}Z`;
  return new KeyServiceError("kms_unavailable", {
    problem: `Cloud KMS at ${host} is out of service since ${since}: ${why}`,
    remedy: "try again in a few seconds: sops-keyd tries it on its own and goes on as soon as it answers",
  });
}
