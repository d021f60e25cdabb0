import type { Clock } from "../core/clock.ts";
import { delay, duringStage } from "../core/deadline.ts";
import type { KeyServiceError } from "../core/errors.ts";
import type { HeldToken } from "../credentials/token.ts";
import { createAttempts } from "./attempt.ts";
import { backoffMs, type Random } from "./backoff.ts";
import { createCircuitBreaker } from "./circuit-breaker.ts";
import { crc32c } from "./crc32c.ts";
import type { KmsEvent } from "./events.ts";
import type { KmsCall, KmsClient } from "./kms-client.ts";
import type { QuotaLimiter } from "./quota-limiter.ts";
import type { QuotaLimiters } from "./quota-limiters.ts";
import { createRetryBudget } from "./retry-budget.ts";
import type { KmsRequest, KmsTransport } from "./transport.ts";
import type { AttemptFailure } from "./upstream-error.ts";
import type { VerifiedAnswer } from "./verify.ts";

export interface KmsClientOptions {
  /** The rule's name: whose turn it is, where rules share a quota. */
  readonly rule: string;
  /** Closed with the client. */
  readonly transport: KmsTransport;
  readonly attemptTimeoutMs: number;
  readonly quotaProject: string | undefined;
  readonly limiters: QuotaLimiters;
  readonly clock: Clock;
  readonly random: Random;
  readonly report: (event: KmsEvent) => void;
}

/** The first try and two more: what is down for longer is reported rather than waited for. */
const MAX_ATTEMPTS = 3;
/** Cloud KMS may ask for a longer wait than a person at a terminal should have; then they are told. */
const LONGEST_PAUSE_MS = 5_000;

/** What a call has used up of its retries. */
interface Spent {
  attempts: number;
  freshTokens: number;
  /** What the last attempt met. */
  last: KeyServiceError | undefined;
}

type Answered = VerifiedAnswer & { readonly principal?: string };

/**
 * Cloud KMS by one rule's way: a transport, and above it what must hold whatever the transport.
 *
 * 401 is tried once more with a fresh token; 502, 503, 504, a broken connection, a slow attempt and a damaged answer up
 * to two more times with full jitter, not before `Retry-After`; 429 in the turn that the quota's limiter gives. All of it
 * under one budget, past one circuit breaker, and within the call's signal.
 */
export function createKmsClient(options: KmsClientOptions): KmsClient {
  const { transport, clock, random, report, rule } = options;
  const { host } = transport;
  const circuit = createCircuitBreaker({
    host,
    clock,
    random,
    probe: (signal) => transport.probe(signal),
    report: (event) => report({ ...event, rule }),
  });
  const attempt = createAttempts({ ...options, circuit });
  const budget = createRetryBudget();
  let discarded = 0;

  async function perform(request: KmsRequest, call: KmsCall): Promise<Answered> {
    budget.deposit();
    const limiter = options.limiters.limiterFor(request.key, options.quotaProject);
    const spent: Spent = { attempts: 0, freshTokens: 0, last: undefined };
    for (;;) {
      const { token, ...outcome } = await attempt(request, call, limiter, spent.freshTokens > 0).catch((thrown) => {
        // An open circuit or a full queue between two attempts: what the first one met says more.
        const isOurRefusal = thrown.code === "kms_unavailable" || thrown.code === "kms_throttled";
        throw isOurRefusal ? (spent.last ?? thrown) : withAttemptBefore(thrown, spent.last);
      });
      const principal = token.principal === undefined ? {} : { principal: token.principal };
      if (outcome.ok) {
        limiter.succeeded();
        return { ...outcome.answer, ...principal };
      }
      const failure = { ...outcome.failure, error: outcome.failure.error.within(principal) };
      observe(failure, limiter);
      await prepareRetry(failure, token, spent, call);
      spent.last = failure.error;
    }
  }

  function observe({ error, retry, retryAfterMs }: AttemptFailure, limiter: QuotaLimiter): void {
    if (retry === "when_admitted") limiter.throttled(retryAfterMs);
    if (error.code !== "integrity_failed") return;
    discarded += 1;
    report({ kind: "answer_discarded", rule, host, why: error.detail.problem, count: discarded });
  }

  /** Resolves when another attempt may start; rejects with the failure where there is none to make. */
  async function prepareRetry(failure: AttemptFailure, token: HeldToken, spent: Spent, call: KmsCall): Promise<void> {
    spent.attempts += 1;
    if (spent.attempts >= MAX_ATTEMPTS || !isWorthwhile(failure, spent) || !budget.withdraw()) {
      throw withAttemptBefore(failure.error, spent.last);
    }
    if (failure.retry === "with_fresh_token") {
      spent.freshTokens += 1;
      call.tokens.invalidate(token.generation);
    } else if (failure.retry === "with_backoff") {
      await pause(Math.max(backoffMs(spent.attempts, random), failure.retryAfterMs ?? 0), failure.error, call.signal);
    }
  }

  /** Waits before the next attempt; where time runs out first, says what the last attempt met. */
  async function pause(pauseMs: number, last: KeyServiceError, signal: AbortSignal): Promise<void> {
    try {
      await delay(clock, pauseMs, signal);
    } catch (thrown) {
      throw duringStage(thrown, `the last attempt: ${last.detail.problem}`);
    }
  }

  const requestOf = (operation: KmsRequest["operation"], payload: Uint8Array, { key }: KmsCall): KmsRequest => ({
    operation,
    key,
    payload,
    payloadCrc32c: crc32c(payload),
  });
  return {
    async encrypt(plaintext, call) {
      const { payload, ...facts } = await perform(requestOf("encrypt", plaintext, call), call);
      return { ciphertext: payload, ...facts };
    },
    async decrypt(ciphertext, call) {
      const { payload, keyVersion: _, ...facts } = await perform(requestOf("decrypt", ciphertext, call), call);
      return { plaintext: payload, ...facts };
    },
    async close() {
      circuit.close();
      await transport.close();
    },
  };
}

/** A call's end by time alone says little where an attempt before it was answered or refused. */
function withAttemptBefore(thrown: unknown, last: KeyServiceError | undefined): unknown {
  if (last === undefined) return thrown;
  return duringStage(thrown, `the attempt before: ${last.detail.problem}`);
}

function isWorthwhile({ retry, retryAfterMs = 0 }: AttemptFailure, { freshTokens }: Spent): boolean {
  switch (retry) {
    case "never":
      return false;
    case "with_fresh_token":
      return freshTokens === 0;
    case "with_backoff":
    case "when_admitted":
      return retryAfterMs <= LONGEST_PAUSE_MS;
  }
}
