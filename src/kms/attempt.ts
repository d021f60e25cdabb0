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
  const stage = `waiting for Cloud KMS at ${transport.host}`;
  const timeoutProblem = `Cloud KMS at ${transport.host} did not answer within ${attemptTimeoutMs} ms`;

  async function send(request: KmsRequest, call: KmsCall, token: HeldToken, tokenIsFresh: boolean) {
    const startedAtMs = clock.monotonicMs();
    using deadline = createDeadline(clock, attemptTimeoutMs, timeoutProblem, call.signal);
    try {
      const { reason } = call;
      return await transport.send(request, { token, tokenIsFresh, reason, signal: deadline.signal });
    } catch (thrown) {
      if (!deadline.signal.aborted) throw thrown;
      const error = duringStage(abortReason(deadline.signal), stage);
      // The call may end while an attempt has only just begun, which says nothing of the endpoint.
      const wasLong = clock.monotonicMs() - startedAtMs >= attemptTimeoutMs / 2;
      const endpointIsIll = error.code === "deadline_exceeded" && wasLong;
      return { ok: false, error, retry: call.signal.aborted ? "never" : "with_backoff", endpointIsIll } as const;
    }
  }

  async function attempt(
    request: KmsRequest,
    call: KmsCall,
    limiter: QuotaLimiter,
    tokenIsFresh: boolean,
  ): Promise<{ readonly token: HeldToken; readonly outcome: TransportOutcome }> {
    const token = await call.tokens.getToken(call.signal).catch((thrown: unknown) => {
      throw duringStage(thrown, `waiting for a token from ${call.tokens.name}`);
    });
    await limiter.admit(rule, call.signal)?.catch((thrown: unknown) => {
      throw duringStage(thrown, "waiting for the quota of Cloud KMS");
    });
    return { token, outcome: await send(request, call, token, tokenIsFresh) };
  }

  return async (request, call, limiter, tokenIsFresh) => {
    const permit = circuit.enter();
    const { token, outcome } = await attempt(request, call, limiter, tokenIsFresh).catch((thrown: unknown) => {
      permit.abandoned();
      throw thrown;
    });
    settle(permit, outcome);
    if (!outcome.ok) return { ok: false, failure: outcome, token };
    try {
      return { ok: true, answer: verifyAnswer(outcome.answer, request), token };
    } catch (thrown) {
      if (!(thrown instanceof KeyServiceError)) throw thrown;
      return { ok: false, failure: { error: thrown, retry: "with_backoff", endpointIsIll: false }, token };
    }
  };
}

function settle(permit: Permit, outcome: TransportOutcome): void {
  if (outcome.ok) permit.endpointIsWell();
  else if (outcome.endpointIsIll) permit.endpointIsIll(outcome.error.detail.problem);
  else if (outcome.error.code === "cancelled" || outcome.error.code === "deadline_exceeded") permit.abandoned();
  else permit.endpointIsWell();
}
