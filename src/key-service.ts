import { randomUUID } from "node:crypto";
import { type Caller, withProof } from "./access/caller.ts";
import type { VerifiedJwt } from "./access/jwt/verifier.ts";
import type { Audit } from "./audit/audit.ts";
import { describeReason } from "./audit/reason.ts";
import type { CallContext, KeyAnswer, KeyBackend } from "./backends/backend.ts";
import { describeKey, type GcpKmsKey, type SopsKey } from "./backends/sops-key.ts";
import { unsupportedKeyError } from "./backends/unsupported.ts";
import type { Operation } from "./config/config.ts";
import type { CallerToken } from "./core/caller-token.ts";
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
  /** Puts on record a call that was refused before it came this far. */
  refused(operation: Operation, key: SopsKey | undefined, caller: Caller, error: KeyServiceError): void;
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
 *
 * @param maxCalls asked anew for each call, so that a reload takes effect with the next one
 */
export function createBoundedKeyService(service: KeyService, maxCalls: () => number): KeyService {
  let calls = 0;
  const bounded = async (
    operation: Operation,
    key: SopsKey,
    payload: Buffer,
    context: CallContext,
  ): Promise<Buffer> => {
    if (calls >= maxCalls()) {
      const error = new KeyServiceError("overloaded", {
        problem: `sops-keyd is answering ${calls} calls already, its limit`,
        remedy: "try again in a moment; if it stays, raise limits.maxCalls or run another replica",
      });
      service.refused(operation, key, context.caller, error);
      throw error;
    }
    calls += 1;
    try {
      return await service[operation](key, payload, context);
    } finally {
      calls -= 1;
    }
  };
  return {
    encrypt: (key, plaintext, context) => bounded("encrypt", key, plaintext, context),
    decrypt: (key, ciphertext, context) => bounded("decrypt", key, ciphertext, context),
    refused: service.refused,
  };
}

/**
 * @param backends asked anew for each call, so that a reload takes effect with the next one
 * @param audit the same; undefined where no account is kept
 */
export function createKeyService(
  backends: () => Backends,
  clock: Clock,
  record: (call: CallRecord) => void,
  audit: () => Audit | undefined = () => undefined,
): KeyService {
  async function perform(operation: Operation, key: SopsKey, payload: Buffer, context: CallContext): Promise<Buffer> {
    const startedAtMs = clock.monotonicMs();
    const current = backends();
    const facts = { requestId: randomUUID(), operation, key: describeKey(key) };
    let caller = current.identify(context.caller);
    const account = audit()?.begin({ ...facts, caller: () => caller }, operation === "decrypt" ? payload : undefined);
    const ask = (callerToken?: CallerToken): Promise<KeyAnswer> => {
      const reason = describeReason(facts.requestId, caller);
      const known = callerToken === undefined ? {} : { callerToken };
      return dispatch(current, operation, key, payload, { ...context, ...known, caller, reason, audit: account });
    };
    const answerToken = ({ proof, token }: VerifiedJwt): Promise<KeyAnswer> => {
      caller = current.identify(withProof(context.caller, proof));
      return ask(token);
    };
    const elapsedMs = () => clock.monotonicMs() - startedAtMs;
    try {
      if (context.refusal !== undefined) throw context.refusal;
      const { bytes, ...answer } =
        context.authorization === undefined
          ? await ask()
          : await current.authenticate(context.authorization, context.signal, answerToken);
      const safe = account?.answered(answer, bytes, elapsedMs());
      if (safe !== undefined)
        await safe.catch((thrown: unknown) => withhold(bytes, thrown, { ...answer, key: facts.key }));
      record({ ...facts, caller, ...answer, outcome: "ok", latencyMs: elapsedMs() });
      return bytes;
    } catch (thrown) {
      const error = toKeyServiceError(thrown);
      account?.failed(error, elapsedMs());
      record({ ...facts, caller, outcome: error.code, error, latencyMs: elapsedMs() });
      throw error;
    }
  }

  return {
    encrypt: (key, plaintext, context) => perform("encrypt", key, plaintext, context),
    decrypt: (key, ciphertext, context) => perform("decrypt", key, ciphertext, context),
    refused(operation, key, caller, error) {
      const facts = {
        requestId: randomUUID(),
        operation,
        key: key === undefined ? "" : describeKey(key),
        caller: backends().identify(caller),
      };
      audit()
        ?.begin({ ...facts, caller: () => facts.caller }, undefined)
        .failed(error, 0);
      record({ ...facts, outcome: error.code, error, latencyMs: 0 });
    },
  };
}

/** What cannot be recorded is not handed out. */
function withhold(bytes: Buffer, thrown: unknown, { key, rule, source }: WithheldAnswer): never {
  bytes.fill(0);
  throw toKeyServiceError(thrown).within({ key, rule, source });
}

type WithheldAnswer = Pick<KeyAnswer, "rule" | "source"> & { readonly key: string };

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
