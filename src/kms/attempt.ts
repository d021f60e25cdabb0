import type { Clock } from "../core/clock.ts";
import { abortReason, createDeadline, duringStage } from "../core/deadline.ts";
import { KeyServiceError } from "../core/errors.ts";
import type { HeldToken } from "../credentials/token.ts";
import type { CircuitBreaker, Permit } from "./circuit-breaker.ts";
import type { KmsCall } from "./kms-client.ts";
import type { QuotaLimiter } from "./quota-limiter.ts";
import type { KmsRequest, KmsTransport, TransportOutcome } from "./transport.ts";
import type { AttemptFailure } from "./upstream-error.ts";
import { type VerifiedAnswer, verifyAnswer } from "./verify.ts";

export type AttemptOutcome =
  | { readonly ok: true; readonly answer: VerifiedAnswer; readonly token: HeldToken }
  | { readonly ok: false; readonly failure: AttemptFailure; readonly token: HeldToken };

export interface AttemptOptions {
  readonly rule: string;
  readonly transport: KmsTransport;
  readonly circuit: CircuitBreaker;
  readonly attemptTimeoutMs: number;
  readonly clock: Clock;
}

/**
 * One attempt: past the circuit breaker, with a token, in its turn of the quota, within its own time limit, and with
 * an answer that was verified.
 *
 * @throws KeyServiceError where there was nothing to ask Cloud KMS with, or no time left to
 */
export type MakeAttempt = (
  request: KmsRequest,
  call: KmsCall,
  limiter: QuotaLimiter,
  tokenIsFresh: boolean,
) => Promise<AttemptOutcome>;

export function createAttempts({ rule, transport, circuit, attemptTimeoutMs, clock }: AttemptOptions): MakeAttempt {
  const place =
    transport.proxyHost === undefined ? transport.host : `${transport.host} through proxy ${transport.proxyHost}`;
  const stage = `waiting for Cloud KMS at ${place}`;
  const timeoutProblem = `Cloud KMS at ${place} did not answer within ${attemptTimeoutMs} ms`;

  async function send(request: KmsRequest, call: KmsCall, token: HeldToken, tokenIsFresh: boolean) {
    const startedAtMs = clock.monotonicMs();
    const deadline = createDeadline(clock, attemptTimeoutMs, timeoutProblem, call.signal);
    const permit = circuit.enter();
    try {
      const { reason } = call;
      const outcome = await transport.send(request, { token, tokenIsFresh, reason, signal: deadline.signal });
      settle(permit, outcome, startedAtMs);
      return outcome;
    } catch (thrown) {
      // The call may end while an attempt has only just begun, which says nothing of the endpoint.
      const wasLong = clock.monotonicMs() - startedAtMs >= attemptTimeoutMs / 2;
      const outcome = describeCut(deadline.signal, call.signal, wasLong);
      if (outcome?.endpointIsIll === true) permit.endpointIsIll(outcome.error.detail.problem);
      else permit.abandoned();
      if (outcome === undefined) throw thrown;
      return outcome;
    } finally {
      deadline[Symbol.dispose]();
    }
  }

  /** The outcome of an attempt that its time limit or the call's end cut short; undefined: it failed otherwise. */
  function describeCut(attempt: AbortSignal, call: AbortSignal, wasLong: boolean) {
    if (!attempt.aborted) return undefined;
    const error = duringStage(abortReason(attempt), stage);
    const endpointIsIll = error.code === "deadline_exceeded" && wasLong;
    return { ok: false, error, retry: call.aborted ? "never" : "with_backoff", endpointIsIll } as const;
  }

  return async (request, call, limiter, tokenIsFresh) => {
    circuit.refuseWhileOpen();
    const token = await call.tokens.getToken(call.signal).catch((thrown: unknown) => {
      throw duringStage(thrown, `waiting for a token from ${call.tokens.name}`);
    });
    await limiter.admit(rule, call.signal)?.catch((thrown: unknown) => {
      throw duringStage(thrown, "waiting for the quota of Cloud KMS");
    });
    const outcome = await send(request, call, token, tokenIsFresh);
    if (!outcome.ok) return { ok: false, failure: outcome, token };
    try {
      return { ok: true, answer: verifyAnswer(outcome.answer, request), token };
    } catch (thrown) {
      if (!(thrown instanceof KeyServiceError)) throw thrown;
      return { ok: false, failure: { error: thrown, retry: "with_backoff", endpointIsIll: false }, token };
    }
  };
}

function settle(permit: Permit, outcome: TransportOutcome, startedAtMs: number): void {
  if (outcome.ok || !outcome.endpointIsIll) permit.endpointIsWell();
  else if (outcome.connectionBroke === true) permit.connectionBroke(outcome.error.detail.problem, startedAtMs);
  else permit.endpointIsIll(outcome.error.detail.problem);
}
