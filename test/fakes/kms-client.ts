import { randomBytes } from "node:crypto";
import { abortReason } from "../../src/core/deadline.ts";
import type { DecryptResult, EncryptResult, KmsCall, KmsClient } from "../../src/kms/kms-client.ts";
import { type CryptoKeyName, parseCryptoKeyName } from "../../src/routing/resource-name.ts";
import { createFakeTokenHolder } from "./token-holder.ts";

export const FAKE_KEY: CryptoKeyName = parseCryptoKeyName("projects/p/locations/global/keyRings/r/cryptoKeys/k");

/** A call that nobody aborts, but for what a test changes. */
export function fakeCall(changes: Partial<KmsCall> = {}): KmsCall {
  const tokens = createFakeTokenHolder();
  return { key: FAKE_KEY, tokens, reason: undefined, signal: new AbortController().signal, ...changes };
}

/** One question that waits for the test's answer. */
export interface PendingCall {
  readonly call: KmsCall;
  /** The bytes that were handed over, which their owner may wipe. */
  readonly answered: Buffer;
  answer(): void;
  fail(error: Error): void;
}

export interface FakeKmsClient extends KmsClient {
  readonly pending: readonly PendingCall[];
  readonly closed: boolean;
}

/** Answers when the test says so, with `answerFor` of what it got; ends with the call's signal as a real one does. */
export function createFakeKmsClient(answerFor: (payload: Uint8Array) => Buffer = () => randomBytes(32)): FakeKmsClient {
  const pending: PendingCall[] = [];
  let closed = false;
  function ask<R>(payload: Uint8Array, call: KmsCall, resultOf: (bytes: Buffer) => R): Promise<R> {
    const { promise, resolve, reject } = Promise.withResolvers<R>();
    const answered = answerFor(payload);
    pending.push({ call, answered, answer: () => resolve(resultOf(answered)), fail: reject });
    call.signal.addEventListener("abort", () => reject(abortReason(call.signal)), { once: true });
    return promise;
  }
  const principal = "robot@project.iam.gserviceaccount.com";
  return {
    pending,
    get closed() {
      return closed;
    },
    encrypt: (plaintext, call) =>
      ask(plaintext, call, (ciphertext): EncryptResult => ({ ciphertext, keyVersion: `${call.key}/1`, principal })),
    decrypt: (ciphertext, call) => ask(ciphertext, call, (plaintext): DecryptResult => ({ plaintext, principal })),
    close() {
      closed = true;
      return Promise.resolve();
    },
  };
}
