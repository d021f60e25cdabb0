import { KeyServiceError } from "../../src/core/errors.ts";
import { crc32c } from "../../src/kms/crc32c.ts";
import type { Attempt, KmsAnswer, KmsRequest, KmsTransport, TransportOutcome } from "../../src/kms/transport.ts";
import type { AttemptFailure } from "../../src/kms/upstream-error.ts";

/** What an attempt comes to; "hang" waits for the attempt's signal. */
export type Reply = TransportOutcome | "hang";

export interface SentAttempt {
  readonly request: KmsRequest;
  readonly attempt: Attempt;
}

/** A transport that does what a test orders, attempt by attempt; the last order stays. */
export interface FakeKmsTransport extends KmsTransport {
  readonly sent: readonly SentAttempt[];
  /** Whether probes are answered. */
  isUp: boolean;
  readonly isClosed: boolean;
}

export const HOST = "cloudkms.example";

export function createFakeKmsTransport(...replies: readonly ((request: KmsRequest) => Reply)[]): FakeKmsTransport {
  const sent: SentAttempt[] = [];
  let isClosed = false;
  return {
    host: HOST,
    sent,
    isUp: true,
    async send(request, attempt) {
      attempt.signal.throwIfAborted();
      sent.push({ request, attempt });
      const reply = replies[Math.min(sent.length, replies.length) - 1]?.(request) ?? "hang";
      return reply === "hang" ? untilItsEnd(attempt.signal) : reply;
    },
    async probe() {
      if (!this.isUp) throw new Error("down");
    },
    async close() {
      isClosed = true;
    },
    get isClosed() {
      return isClosed;
    },
  };
}

function untilItsEnd(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
}

/** A right answer that makes `payload` of whatever was asked; `changes` spoil it. */
export function answerOf(payload: Uint8Array, changes: Partial<KmsAnswer> = {}): (request: KmsRequest) => Reply {
  return ({ key }) => ({
    ok: true,
    answer: {
      name: `${key}/cryptoKeyVersions/1`,
      payload: Buffer.from(payload),
      payloadCrc32c: crc32c(payload),
      confirmsRequest: true,
      ...changes,
    },
  });
}

/** A failed attempt: 503 unless changed. */
export function failureOf(changes: Partial<AttemptFailure> = {}, problem = "answered 503"): () => Reply {
  const error = new KeyServiceError("kms_unavailable", { problem, remedy: "try again" });
  return () => ({ ok: false, error, retry: "with_backoff", endpointIsIll: true, ...changes });
}
