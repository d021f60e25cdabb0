import type { Clock } from "../core/clock.ts";
import { abortReason, createDeadline, untilAborted } from "../core/deadline.ts";
import { KeyServiceError, toKeyServiceError } from "../core/errors.ts";
import { toHeldToken } from "./held-token.ts";
import { type RefreshFailure, retryDelayMs } from "./refresh-backoff.ts";
import type { HeldToken, Token, TokenHolder, TokenSource } from "./token.ts";
import { computeLifetime, readInstant, stateOf, type TokenLifetime, type TokenState } from "./token-lifetime.ts";

export interface RefreshingOptions {
  readonly clock: Clock;
  /** From 0 up to 1, as `Math.random`. */
  readonly random?: () => number;
  /** A refresh that takes longer has failed. */
  readonly timeoutMs?: number;
  /** Told of each refresh when it ends; must not throw. */
  readonly onRefresh?: (report: RefreshReport) => void;
}

export interface RefreshReport {
  readonly source: string;
  readonly durationMs: number;
  /** Undefined where the refresh succeeded. */
  readonly error?: KeyServiceError;
  /** Wall clock; of the token that is served from now on, undefined where there is none. */
  readonly expiresAtMs: number | undefined;
}

interface Held {
  readonly token: HeldToken;
  readonly lifetime: TokenLifetime;
  /** It was refused as the one before it was: whether that is for the token or for who refuses it cannot be told. */
  readonly isDoubted: boolean;
}

/** A refresh that takes longer has failed, where nothing else is said. */
export const DEFAULT_REFRESH_TIMEOUT_MS = 10_000;
/** A second refusal within this time says that new tokens do not help. */
const REFUSAL_MEMORY_MS = 5_000;

/**
 * Holds the token of `source` and replaces it in time. Its token is *fresh*, *stale* (valid and served, while a
 * refresh runs behind it) or *invalid* (callers wait for a refresh).
 *
 * - **One refresh at a time**, claimed before anything is awaited: however many callers come, one fetch is made.
 * - **Early**: up to 225 s before expiry, or for the last quarter of shorter lives, spread at random. Calls start
 *   refreshes, not timers: a source that nobody asks for makes no requests.
 * - **A failed refresh displaces nothing**: a token is served until 5 s before its end. Then its failure is what
 *   callers get, until the time for the next attempt has come (at most 2 s later; 5 s for what only an operator can
 *   mend).
 * - **Nobody waits longer than their signal**, and giving up detaches only that caller. The refresh has its own
 *   deadline; a source that does not heed it holds up neither callers nor the next refresh, and what it answers
 *   later is dropped, so that no late answer replaces a newer token.
 * - **Both clocks** must say that a token is valid. See {@link stateOf}.
 * - **Refused tokens** are replaced at once. A replacement that is refused within five seconds is served on and replaced
 *   behind it, every few seconds: refused calls do not become a flood of token requests, and one rule's endpoint that
 *   refuses everything takes no other rule's token away.
 *
 * Holds one token, one failure and one refresh, whatever happens. A holder is not a TokenSource: it cannot be wrapped
 * again.
 */
export function createRefreshing(source: TokenSource, options: RefreshingOptions): TokenHolder {
  const { clock, random = Math.random, timeoutMs = DEFAULT_REFRESH_TIMEOUT_MS, onRefresh } = options;
  let held: Held | undefined;
  let flight: Promise<HeldToken> | undefined;
  let failure: RefreshFailure | undefined;
  let lastGeneration = 0;
  let lastRefusalMonotonicMs = Number.NEGATIVE_INFINITY;

  const currentState = (): TokenState => {
    if (held === undefined) return "invalid";
    const state = stateOf(held.lifetime, readInstant(clock));
    return held.isDoubted && state === "fresh" ? "stale" : state;
  };

  const remember = (error: KeyServiceError) => {
    failure = { error, atMonotonicMs: clock.monotonicMs(), count: (failure?.count ?? 0) + 1, random: random() };
  };

  /** What keeps the next refresh from beginning now, if anything does. */
  const holdingBack = (state: TokenState): KeyServiceError | undefined => {
    if (failure === undefined) return undefined;
    const waitMs = retryDelayMs(failure, state !== "invalid");
    return clock.monotonicMs() - failure.atMonotonicMs < waitMs ? failure.error : undefined;
  };

  const fetchHeld = async (generation: number): Promise<Held> => {
    const requested = readInstant(clock);
    using deadline = createDeadline(clock, timeoutMs, `no token came within ${timeoutMs / 1000} seconds`);
    // The refresh runs under its own deadline: one caller's abort must not fail the others.
    const token: Token = await untilAborted(source.fetchToken(deadline.signal), deadline.signal);
    return {
      token: toHeldToken(token, generation),
      lifetime: computeLifetime(token.expiresAtMs, requested, readInstant(clock), random()),
      isDoubted: false,
    };
  };

  const refresh = async (generation: number): Promise<HeldToken> => {
    const startedMs = clock.monotonicMs();
    let error: KeyServiceError | undefined;
    try {
      const next = await fetchHeld(generation);
      held = next;
      failure = undefined;
      return next.token;
    } catch (thrown) {
      error = toRefreshError(source.name, thrown);
      remember(error);
      throw error;
    } finally {
      flight = undefined;
      onRefresh?.({
        source: source.name,
        durationMs: clock.monotonicMs() - startedMs,
        ...(error === undefined ? {} : { error }),
        expiresAtMs: currentState() === "invalid" ? undefined : held?.token.expiresAtMs,
      });
    }
  };

  /** The refresh that runs, a new one, or why none may begin yet. Synchronous, so that two callers cannot both begin. */
  const joinRefresh = (state: TokenState): Promise<HeldToken> | KeyServiceError => {
    if (flight !== undefined) return flight;
    const heldBack = holdingBack(state);
    if (heldBack !== undefined) return heldBack;
    lastGeneration += 1;
    flight = refresh(lastGeneration);
    // In the background nobody waits for it; its failure is remembered all the same.
    flight.catch(() => {});
    return flight;
  };

  return {
    name: source.name,

    async getToken(signal) {
      if (signal.aborted) throw abortReason(signal);
      const state = currentState();
      if (held !== undefined && state === "fresh") return held.token;
      const joined = joinRefresh(state);
      if (held !== undefined && state === "stale") return held.token;
      if (joined instanceof KeyServiceError) throw joined;
      return untilAborted(joined, signal);
    },

    invalidate(generation) {
      if (held?.token.generation !== generation || held.isDoubted) return;
      const sinceRefusalMs = clock.monotonicMs() - lastRefusalMonotonicMs;
      lastRefusalMonotonicMs = clock.monotonicMs();
      held = sinceRefusalMs < REFUSAL_MEMORY_MS ? { ...held, isDoubted: true } : undefined;
      if (held !== undefined) remember(refusedAgain(source.name));
    },
  };
}

/** A refresh that ran into its own deadline says nothing about the deadlines of its callers: it is an outage. */
function toRefreshError(source: string, thrown: unknown): KeyServiceError {
  const error = toKeyServiceError(thrown);
  if (error.code !== "deadline_exceeded" && error.code !== "cancelled") return error.within({ source });
  return new KeyServiceError("credential_unavailable", {
    source,
    problem: error.detail.problem,
    remedy: "check that the token endpoint can be reached from here",
    cause: error,
  });
}

function refusedAgain(source: string): KeyServiceError {
  return new KeyServiceError("credential_rejected", {
    source,
    problem: "google cloud refused one new token of this source after the other",
    remedy: "check that the credential belongs to the configured universe and that its account is not disabled",
  });
}
