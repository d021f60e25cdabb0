import { randomUUID } from "node:crypto";
import { type Caller, withProof } from "./access/caller.ts";
import type { VerifiedJwt } from "./access/jwt/verifier.ts";
import type { CallContext, KeyAnswer, KeyBackend } from "./backends/backend.ts";
import { describeKey, type GcpKmsKey, type SopsKey } from "./backends/sops-key.ts";
import { unsupportedKeyError } from "./backends/unsupported.ts";
import type { Operation } from "./config/config.ts";
import type { Clock } from "./core/clock.ts";
import { KeyServiceError, toKeyServiceError } from "./core/errors.ts";
import type { Secret } from "./core/secret.ts";
import type { CallRecord } from "./telemetry/call-record.ts";

export type { CallContext } from "./backends/backend.ts";

/**
 * Wraps and unwraps data keys, for whatever brings the calls: the gRPC server, or a program that embeds it.
 *
 * @throws KeyServiceError
 */
export interface KeyService {
  /** @returns the ciphertext as the SOPS wire has it; never empty */
  encrypt(key: SopsKey, plaintext: Buffer, context: CallContext): Promise<Buffer>;
  /** @returns the data key; never empty, for the caller to wipe */
  decrypt(key: SopsKey, ciphertext: Buffer, context: CallContext): Promise<Buffer>;
}

/** The kinds of key that have a backend. */
export interface Backends {
  /** Gives a caller its names, by the same config that decides for them afterwards. */
  identify(caller: Caller): Caller;
  /**
   * Verifies what a call brings in `authorization`, and does `work` with what it proves. No reload closes what verified
   * it before `work` has ended, so that no call is named by one config and judged by the next.
   *
   * @throws KeyServiceError `caller_unauthenticated`, `issuer_unavailable`, what `work` throws, or the signal's reason
   */
  authenticate<T>(authorization: Secret, signal: AbortSignal, work: (jwt: VerifiedJwt) => Promise<T>): Promise<T>;
  readonly gcpKms: KeyBackend<GcpKmsKey>;
}

/**
 * Refuses what comes when `maxCalls` are in flight already: each of them holds a payload and may hold a connection, and
 * a caller who is told at once can come back.
 */
export function createBoundedKeyService(service: KeyService, maxCalls: number): KeyService {
  let calls = 0;
  const bounded = async (work: () => Promise<Buffer>): Promise<Buffer> => {
    if (calls >= maxCalls) {
      throw new KeyServiceError("overloaded", {
        problem: `sops-keyd is answering ${maxCalls} calls already, its limit`,
        remedy: "try again in a moment; if it stays, raise limits.maxCalls or run another replica",
      });
    }
    calls += 1;
    try {
      return await work();
    } finally {
      calls -= 1;
    }
  };
  return {
    encrypt: (key, plaintext, context) => bounded(() => service.encrypt(key, plaintext, context)),
    decrypt: (key, ciphertext, context) => bounded(() => service.decrypt(key, ciphertext, context)),
  };
}

/** @param backends asked anew for each call, so that a reload takes effect with the next one */
export function createKeyService(
  backends: () => Backends,
  clock: Clock,
  record: (call: CallRecord) => void,
): KeyService {
  async function perform(operation: Operation, key: SopsKey, payload: Buffer, context: CallContext): Promise<Buffer> {
    const startedAtMs = clock.monotonicMs();
    const current = backends();
    const facts = { requestId: randomUUID(), operation, key: describeKey(key) };
    let caller = current.identify(context.caller);
    const answerToken = ({ proof, token }: VerifiedJwt): Promise<KeyAnswer> => {
      caller = current.identify(withProof(context.caller, proof));
      return dispatch(current, operation, key, payload, { ...context, caller, callerToken: token });
    };
    try {
      if (context.refusal !== undefined) throw context.refusal;
      const { bytes, ...answer } =
        context.authorization === undefined
          ? await dispatch(current, operation, key, payload, { ...context, caller })
          : await current.authenticate(context.authorization, context.signal, answerToken);
      record({ ...facts, caller, ...answer, outcome: "ok", latencyMs: clock.monotonicMs() - startedAtMs });
      return bytes;
    } catch (thrown) {
      const error = toKeyServiceError(thrown);
      record({ ...facts, caller, outcome: error.code, error, latencyMs: clock.monotonicMs() - startedAtMs });
      throw error;
    }
  }

  return {
    encrypt: (key, plaintext, context) => perform("encrypt", key, plaintext, context),
    decrypt: (key, ciphertext, context) => perform("decrypt", key, ciphertext, context),
  };
}

async function dispatch(
  backends: Backends,
  operation: Operation,
  key: SopsKey,
  payload: Buffer,
  context: CallContext,
): Promise<KeyAnswer> {
  if (key.type !== "gcp_kms") throw unsupportedKeyError(key);
  return backends.gcpKms[operation](key, payload, context);
}
