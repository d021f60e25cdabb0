import type { Dispatcher } from "undici";
import type { Operation } from "../config/config.ts";
import type { Clock } from "../core/clock.ts";
import { abortReason, createDeadline, duringStage } from "../core/deadline.ts";
import { KeyServiceError } from "../core/errors.ts";
import type { HeldToken } from "../credentials/token.ts";
import type { KmsCall } from "./kms-client.ts";
import { type AttemptFailure, readConnectionFailure, readErrorAnswer } from "./upstream-error.ts";

export interface RestKmsOptions {
  /** Keep-alive connections to the endpoint; closed with the client. */
  readonly dispatcher: Dispatcher;
  /** Base URL without a trailing slash, such as `https://cloudkms.googleapis.com`. */
  readonly endpoint: string;
  readonly quotaProject: string | undefined;
  readonly attemptTimeoutMs: number;
  readonly userAgent: string;
  readonly clock: Clock;
}

/** How one operation is asked and its answer read. */
export interface Exchange<T> {
  readonly operation: Operation;
  readonly body: Buffer;
  /** @throws KeyServiceError `integrity_failed` */
  readonly read: (answer: Buffer) => T;
}

export type AttemptOutcome<T> = { readonly ok: true; readonly value: T } | ({ readonly ok: false } & AttemptFailure);

/** One request and its answer, within its own time limit. Never rejects: what failed says whether to try again. */
export type Attempt = <T>(exchange: Exchange<T>, call: KmsCall, token: HeldToken) => Promise<AttemptOutcome<T>>;

export function createRestAttempt(options: RestKmsOptions): Attempt {
  const { host, origin, pathname } = new URL(options.endpoint);
  const basePath = pathname === "/" ? "" : pathname;
  const problem = `Cloud KMS at ${host} did not answer within ${options.attemptTimeoutMs} ms`;

  const stage = `waiting for Cloud KMS at ${host}`;

  async function send<T>(exchange: Exchange<T>, call: KmsCall, token: HeldToken, signal: AbortSignal) {
    const answer = await options.dispatcher.request({
      origin,
      path: `${basePath}/v1/${call.key}:${exchange.operation}`,
      method: "POST",
      headers: headersFor(token, options),
      body: exchange.body,
      signal,
    });
    const body = Buffer.from(await answer.body.arrayBuffer());
    const outcome =
      answer.statusCode === 200
        ? readOutcome(exchange, body)
        : failed(
            readErrorAnswer(
              answer.statusCode,
              body,
              { operation: exchange.operation, principal: token.principal },
              host,
            ),
          );
    body.fill(0);
    return outcome;
  }

  return async (exchange, call, token) => {
    using deadline = createDeadline(options.clock, options.attemptTimeoutMs, problem, call.signal);
    try {
      return await send(exchange, call, token, deadline.signal);
    } catch (thrown) {
      if (call.signal.aborted) return failed({ error: duringStage(abortReason(call.signal), stage), retry: "never" });
      if (deadline.signal.aborted) return failed({ error: abortReason(deadline.signal), retry: "with_backoff" });
      return failed(readConnectionFailure(thrown, host));
    }
  };
}

function failed(failure: AttemptFailure): { readonly ok: false } & AttemptFailure {
  return { ok: false, ...failure };
}

function readOutcome<T>(exchange: Exchange<T>, body: Buffer): AttemptOutcome<T> {
  try {
    return { ok: true, value: exchange.read(body) };
  } catch (thrown) {
    if (thrown instanceof KeyServiceError) return failed({ error: thrown, retry: "with_backoff" });
    throw thrown;
  }
}

function headersFor(token: HeldToken, options: RestKmsOptions): Record<string, string> {
  return {
    authorization: `Bearer ${token.accessToken.reveal()}`,
    "content-type": "application/json",
    "user-agent": options.userAgent,
    ...(options.quotaProject === undefined ? {} : { "x-goog-user-project": options.quotaProject }),
  };
}
