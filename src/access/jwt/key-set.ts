import type { createLocalJWKSet } from "jose";
import type { Clock } from "../../core/clock.ts";
import { abortReason, createDeadline, untilAborted } from "../../core/deadline.ts";
import { KeyServiceError, toKeyServiceError } from "../../core/errors.ts";

/** An issuer's public keys at one time. */
export interface HeldKeys {
  readonly find: ReturnType<typeof createLocalJWKSet>;
  /** Another number means other keys. */
  readonly generation: number;
}

/**
 * Gets the JSON Web Key Set of an issuer, anew each time, as text.
 *
 * @throws KeyServiceError `issuer_unavailable`, or the signal's reason
 */
export type LoadKeys = (signal: AbortSignal) => Promise<string>;

export interface KeySetOptions {
  /** What the keys are of, for errors and warnings: `issuer https://…`. */
  readonly name: string;
  readonly load: LoadKeys;
  readonly clock: Clock;
  /** Keys older than this are loaded again… */
  readonly freshMs: number;
  /** …while tokens are verified by them; or before, where loading is a matter of reading a file. */
  readonly serveStale: boolean;
  /** Least time between two loads, whatever the reason for the second. */
  readonly coolDownMs: number;
  /** For what an operator should know and no call fails of. */
  readonly warn: (message: string) => void;
}

export interface KeySet {
  /** The keys in force. Loads them where there are none or where it is time. @throws KeyServiceError */
  get(signal: AbortSignal): Promise<HeldKeys>;
  /** After a token named a key that is not among `known`: newer ones, or undefined where there is nothing newer. */
  getNewer(known: HeldKeys, signal: AbortSignal): Promise<HeldKeys | undefined>;
  /** Whether keys of this generation are known to be in force still. Starts a load behind it where it is time. */
  isCurrent(generation: number): boolean;
}

/** A discovery document and the keys, each with the silence that the transport allows, and something to spare. */
const LOAD_TIMEOUT_MS = 6_000;
/** With no keys at all every call waits for a load; more often it would not help. */
const RETRY_MS = 2_000;
/** Keys that nobody has confirmed for a day are not taken: who blocks the way to the issuer must not keep a revoked one alive. */
const MAX_AGE_MS = 24 * 60 * 60 * 1_000;

/**
 * Holds the keys of one issuer.
 *
 * - **One load at a time**, under its own deadline: a caller who gives up fails no other.
 * - **A failed load displaces nothing**: the last good keys stay for a day, and the first failure in a row is warned of.
 * - **Unknown key ids load at most once in the cool-down**, however many tokens bring them.
 */
export function createKeySet(options: KeySetOptions): KeySet {
  const { clock, name, warn } = options;
  let held: (HeldKeys & { readonly text: string }) | undefined;
  let confirmedMonotonicMs = Number.NEGATIVE_INFINITY;
  let attemptMonotonicMs = Number.NEGATIVE_INFINITY;
  let failure: KeyServiceError | undefined;
  let flight: Promise<HeldKeys> | undefined;

  const since = (monotonicMs: number) => clock.monotonicMs() - monotonicMs;
  const usable = () => (since(confirmedMonotonicMs) < MAX_AGE_MS ? held : undefined);
  const isStale = () => since(confirmedMonotonicMs) >= options.freshMs;
  const mayLoad = () => since(attemptMonotonicMs) >= options.coolDownMs;

  const take = async (text: string): Promise<HeldKeys> => {
    if (held?.text !== text) {
      held = { text, find: await parseKeys(text, name), generation: (held?.generation ?? 0) + 1 };
    }
    confirmedMonotonicMs = clock.monotonicMs();
    failure = undefined;
    return held;
  };

  const load = async (): Promise<HeldKeys> => {
    using deadline = createDeadline(clock, LOAD_TIMEOUT_MS, `it took longer than ${LOAD_TIMEOUT_MS / 1000} s`);
    try {
      return await take(await untilAborted(options.load(deadline.signal), deadline.signal));
    } catch (thrown) {
      const error = toIssuerError(thrown, name);
      if (failure === undefined && held !== undefined)
        warn(`${error.detail.problem}; the keys from before stay in use`);
      failure = error;
      throw error;
    } finally {
      flight = undefined;
    }
  };

  /** Synchronous until the load is claimed, so that two callers cannot both begin. */
  const joinLoad = (): Promise<HeldKeys> => {
    if (flight !== undefined) return flight;
    attemptMonotonicMs = clock.monotonicMs();
    flight = load();
    // In the background nobody waits for it; its failure is remembered all the same.
    flight.catch(() => {});
    return flight;
  };

  const getFirst = (signal: AbortSignal): Promise<HeldKeys> => {
    if (flight === undefined && failure !== undefined && since(attemptMonotonicMs) < RETRY_MS) throw failure;
    return untilAborted(joinLoad(), signal);
  };

  return {
    async get(signal) {
      const current = usable();
      if (current === undefined) return getFirst(signal);
      if (!isStale() || !(mayLoad() || flight !== undefined)) return current;
      const joined = joinLoad();
      if (options.serveStale) return current;
      return untilAborted(joined, signal).catch((thrown: unknown) => {
        if (signal.aborted) throw abortReason(signal);
        return usable() ?? Promise.reject(thrown);
      });
    },
    async getNewer(known, signal) {
      if (held !== undefined && held.generation !== known.generation) return held;
      if (flight === undefined && !mayLoad()) return undefined;
      const newer = await untilAborted(joinLoad(), signal).catch(() => {
        if (signal.aborted) throw abortReason(signal);
        return known;
      });
      return newer.generation === known.generation ? undefined : newer;
    },
    isCurrent(generation) {
      if (isStale() && !options.serveStale) return false;
      if (isStale() && mayLoad()) void joinLoad();
      return usable()?.generation === generation;
    },
  };
}

async function parseKeys(text: string, name: string): Promise<HeldKeys["find"]> {
  // Imported when the first token comes: no start has to wait for it.
  const { createLocalJWKSet } = await import("jose");
  try {
    return createLocalJWKSet(JSON.parse(text));
  } catch (cause) {
    throw new KeyServiceError("issuer_unavailable", {
      problem: `the keys of ${name} are not a JSON Web Key Set`,
      remedy: "see what answers there: it must be the public keys of the issuer, as RFC 7517 writes them",
      cause,
    });
  }
}

function toIssuerError(thrown: unknown, name: string): KeyServiceError {
  const error = toKeyServiceError(thrown);
  if (error.code !== "deadline_exceeded" && error.code !== "cancelled") return error;
  return new KeyServiceError("issuer_unavailable", {
    problem: `the keys of ${name} cannot be fetched: ${error.detail.problem}`,
    remedy: "check that the issuer can be reached from here",
    cause: error,
  });
}
