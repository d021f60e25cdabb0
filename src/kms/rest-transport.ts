import type { Clock } from "../core/clock.ts";
import { KeyServiceError } from "../core/errors.ts";
import type { EndpointDispatcher } from "./endpoint-pool.ts";
import { readJsonAnswer } from "./json-answer.ts";
import { readJsonRefusal } from "./json-refusal.ts";
import { exchange, type HttpAnswer } from "./rest-exchange.ts";
import { parseRetryAfter } from "./retry-after.ts";
import type { Attempt, KmsRequest, KmsTransport, TransportOutcome } from "./transport.ts";
import { describeConnectionFailure, describeRefusal } from "./upstream-error.ts";
import { integrityError } from "./verify.ts";

export interface RestTransportOptions {
  /** Keep-alive connections to the endpoint; closed with the transport. */
  readonly dispatcher: EndpointDispatcher;
  /** The proxy that it goes through, for messages. */
  readonly proxyHost?: string | undefined;
  /** Base URL without a trailing slash, such as `https://cloudkms.googleapis.com`. */
  readonly endpoint: string;
  readonly quotaProject: string | undefined;
  readonly userAgent: string;
  readonly clock: Clock;
}

/**
 * Cloud KMS' REST API: `POST {endpoint}/v1/{key}:encrypt` and `:decrypt`.
 * https://cloud.google.com/kms/docs/reference/rest/v1/projects.locations.keyRings.cryptoKeys
 */
export function createRestTransport(options: RestTransportOptions): KmsTransport {
  const { dispatcher, clock } = options;
  const { host, origin, pathname } = new URL(options.endpoint);
  const basePath = pathname === "/" ? "" : pathname;
  const fixedHeaders = ["content-type", "application/json", "user-agent", options.userAgent];
  if (options.quotaProject !== undefined) fixedHeaders.push("x-goog-user-project", options.quotaProject);

  function ask(request: KmsRequest, attempt: Attempt, body: Buffer): Promise<HttpAnswer> {
    const headers = [...fixedHeaders, "authorization", `Bearer ${attempt.token.accessToken.reveal()}`];
    if (attempt.reason !== undefined) headers.push("x-goog-request-reason", attempt.reason);
    const path = `${basePath}/v1/${request.key}:${request.operation}`;
    return exchange(dispatcher, { origin, path, method: "POST", headers, body }, attempt.signal);
  }

  function read(answer: HttpAnswer, request: KmsRequest, attempt: Attempt): TransportOutcome {
    if (answer.statusCode === 200) return { ok: true, answer: readJsonAnswer(answer.body, request.operation) };
    const retryAfterMs = parseRetryAfter(answer.retryAfter, clock.nowMs());
    const refusal = readJsonRefusal(answer.statusCode, answer.body, retryAfterMs);
    const asked = {
      operation: request.operation,
      host,
      principal: attempt.token.principal,
      tokenIsFresh: attempt.tokenIsFresh,
    };
    return { ok: false, ...describeRefusal(refusal, asked) };
  }

  return {
    host,
    proxyHost: options.proxyHost,
    async send(request, attempt) {
      const body = writeBody(request);
      try {
        const answer = await ask(request, attempt, body);
        try {
          return read(answer, request, attempt);
        } finally {
          answer.body.fill(0);
        }
      } catch (thrown) {
        attempt.signal.throwIfAborted();
        return describeFailure(thrown, host, options.proxyHost);
      } finally {
        body.fill(0);
      }
    },
    async probe(signal) {
      const { statusCode } = await exchange(dispatcher, { origin, path: `${basePath}/`, method: "GET" }, signal);
      // Most likely 404. What stands before Cloud KMS says with these that it is not to be had.
      if (statusCode >= 502 && statusCode <= 504) throw new Error(`answered ${statusCode}`);
    },
    close: () => dispatcher.destroy(),
  };
}

function describeFailure(thrown: unknown, host: string, proxyHost: string | undefined): TransportOutcome {
  if (thrown instanceof KeyServiceError) {
    return { ok: false, error: thrown, retry: "with_backoff", endpointIsIll: false };
  }
  if (thrown instanceof Error && "code" in thrown && thrown.code === "UND_ERR_RES_EXCEEDED_MAX_SIZE") {
    const error = integrityError("it is larger than any answer of Cloud KMS");
    return { ok: false, error, retry: "with_backoff", endpointIsIll: false };
  }
  return { ok: false, ...describeConnectionFailure(thrown, host, proxyHost) };
}

/** Base64 needs no escaping in JSON. int64 is a string there. */
function writeBody({ operation, payload, payloadCrc32c }: KmsRequest): Buffer {
  const field = operation === "encrypt" ? "plaintext" : "ciphertext";
  const base64 = Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength).toString("base64");
  return Buffer.from(`{"${field}":"${base64}","${field}Crc32c":"${payloadCrc32c}"}`);
}
