import type { Clock } from "../core/clock.ts";
import { createDeadline, untilAborted } from "../core/deadline.ts";
import { KeyServiceError } from "../core/errors.ts";
import type { Random } from "./backoff.ts";
import { createFailureHistory } from "./failure-history.ts";

/** How one attempt that was let through ended; exactly one of them is called. */
export interface Permit {
  /** The endpoint answered, whatever it said. */
  endpointIsWell(): void;
  /** @param why in a few words, for those who are refused because of it */
  endpointIsIll(why: string): void;
  /** Its connection broke, as others may have at the same time. @param startedAtMs of the attempt, monotonic */
  connectionBroke(why: string, startedAtMs: number): void;
  /** It ended before the endpoint could show how it is. */
  abandoned(): void;
}

/** Keeps calls from an endpoint that is ill, so that they fail at once instead of waiting for it. */
export interface CircuitBreaker {
  /** For a call that has yet to prepare its attempt. @throws KeyServiceError `kms_unavailable` as {@link enter} */
  refuseWhileOpen(): void;
  /** Right before the attempt. @throws KeyServiceError `kms_unavailable` while the circuit is open */
  enter(): Permit;
  /** Ends the probing. */
  close(): void;
}

export type CircuitEvent =
  | { readonly kind: "circuit_opened"; readonly host: string; readonly why: string }
  | { readonly kind: "circuit_closed"; readonly host: string; readonly openForMs: number };

export interface CircuitBreakerOptions {
  readonly host: string;
  /** Resolves if the endpoint seems to serve. */
  readonly probe: (signal: AbortSignal) => Promise<void>;
  readonly clock: Clock;
  readonly random: Random;
  readonly report: (event: CircuitEvent) => void;
}

const FIRST_PROBE_MS = 500;
/** With the time that a probe may take: so that service is back within five seconds of the endpoint. */
const LAST_PROBE_MS = 3_000;
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
  | { readonly kind: "closed"; readonly permit: Permit }
  /** Nothing passes; a probe is under way or scheduled. */
  | { readonly kind: "open"; readonly trouble: Trouble }
  /** The endpoint answers again. One call goes ahead and shows whether it serves. */
  | { readonly kind: "half_open"; readonly trouble: Trouble; trialRuns: boolean };

/**
 * Opens when attempts fail for what the endpoint is, not for what it was asked. While open it probes on its own, ever
 * less often down to every three seconds, and closes once a probe and then a call were answered.
 */
export function createCircuitBreaker(options: CircuitBreakerOptions): CircuitBreaker {
  const { host, clock } = options;
  const closing = new AbortController();
  let state: State = createClosed();
  let cancelTimer: () => void = () => {};

  /** With a history of its own: what began before the circuit opened says nothing once it has closed again. */
  function createClosed(): State {
    const history = createFailureHistory(clock);
    const trip = (why: string) => {
      if (state.kind !== "closed" || state.permit !== permit) return;
      open({ sinceMs: clock.nowMs(), sinceMonotonicMs: clock.monotonicMs(), why, failures: 0 });
      options.report({ kind: "circuit_opened", host, why });
    };
    const permit: Permit = {
      endpointIsWell: history.succeeded,
      endpointIsIll(why) {
        if (history.failed()) trip(why);
      },
      connectionBroke(why, startedAtMs) {
        if (history.connectionBroke(startedAtMs)) trip(why);
      },
      abandoned() {},
    };
    return { kind: "closed", permit };
  }

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
      await untilAborted(options.probe(deadline.signal), deadline.signal);
      state = { kind: "half_open", trouble, trialRuns: false };
    } catch {
      trouble.failures += 1;
      open(trouble);
    }
  }

  function startTrial(halfOpen: Extract<State, { kind: "half_open" }>): Permit {
    halfOpen.trialRuns = true;
    const { trouble } = halfOpen;
    const fail = () => {
      trouble.failures += 1;
      open(trouble);
    };
    return {
      endpointIsWell() {
        state = createClosed();
        options.report({ kind: "circuit_closed", host, openForMs: clock.monotonicMs() - trouble.sinceMonotonicMs });
      },
      endpointIsIll: fail,
      connectionBroke: fail,
      abandoned() {
        halfOpen.trialRuns = false;
      },
    };
  }

  return {
    refuseWhileOpen() {
      if (state.kind === "open" || (state.kind === "half_open" && state.trialRuns))
        throw openError(host, state.trouble);
    },
    enter() {
      if (state.kind === "closed") return state.permit;
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
