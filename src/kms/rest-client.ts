import { delay, duringStage } from "../core/deadline.ts";
import type { KeyServiceError } from "../core/errors.ts";
import type { HeldToken } from "../credentials/token.ts";
import { readDecryptAnswer, readEncryptAnswer } from "./answer.ts";
import { backoffMs, type Random } from "./backoff.ts";
import { crc32c } from "./crc32c.ts";
import type { KmsCall, KmsClient } from "./kms-client.ts";
import { createRestAttempt, type Exchange, type RestKmsOptions } from "./rest-attempt.ts";
import type { AttemptFailure } from "./upstream-error.ts";

/** The first try and two more: what is down for longer is reported rather than waited for. */
const MAX_ATTEMPTS = 3;

/** What a call has used up of its retries. */
interface Spent {
  attempts: number;
  freshTokens: number;
}

/**
 * Cloud KMS over its REST API: `POST {endpoint}/v1/{key}:encrypt` and `:decrypt`.
 * https://cloud.google.com/kms/docs/reference/rest/v1/projects.locations.keyRings.cryptoKeys
 *
 * 401 is tried once more with a fresh token; 503, 504, a broken connection, a slow attempt and a damaged answer up to
 * two more times with full jitter. Everything ends with the call's signal.
 */
export function createRestKmsClient(options: RestKmsOptions, random: Random = Math.random): KmsClient {
  const attempt = createRestAttempt(options);

  async function perform<T>(exchange: Exchange<T>, call: KmsCall): Promise<T & { principal?: string }> {
    const spent: Spent = { attempts: 0, freshTokens: 0 };
    for (;;) {
      const token = await call.tokens.getToken(call.signal).catch((thrown: unknown) => {
        throw duringStage(thrown, `waiting for a token from ${call.tokens.name}`);
      });
      const principal = token.principal === undefined ? {} : { principal: token.principal };
      const outcome = await attempt(exchange, call, token);
      if (outcome.ok) return { ...outcome.value, ...principal };
      await prepareRetry({ error: outcome.error.within(principal), retry: outcome.retry }, token, spent, call);
    }
  }

  /** Resolves when another attempt may start; rejects with the failure where there is none to make. */
  async function prepareRetry(failure: AttemptFailure, token: HeldToken, spent: Spent, call: KmsCall): Promise<void> {
    spent.attempts += 1;
    if (failure.retry === "with_fresh_token" && spent.freshTokens === 0) {
      spent.freshTokens += 1;
      call.tokens.invalidate(token.generation);
    } else if (failure.retry === "with_backoff" && spent.attempts < MAX_ATTEMPTS) {
      await pause(spent.attempts, failure.error, call.signal);
    } else {
      throw failure.error;
    }
  }

  /** Waits before the next attempt; where time runs out first, says what the last attempt met. */
  async function pause(failures: number, last: KeyServiceError, signal: AbortSignal): Promise<void> {
    try {
      await delay(options.clock, backoffMs(failures, random), signal);
    } catch (thrown) {
      throw duringStage(thrown, `the last attempt: ${last.detail.problem}`);
    }
  }

  return {
    async encrypt(plaintext, call) {
      const body = requestBody("plaintext", plaintext);
      try {
        return await perform(
          { operation: "encrypt", body, read: (answer) => readEncryptAnswer(answer, call.key) },
          call,
        );
      } finally {
        body.fill(0);
      }
    },
    decrypt(ciphertext, call) {
      return perform(
        { operation: "decrypt", body: requestBody("ciphertext", ciphertext), read: readDecryptAnswer },
        call,
      );
    },
    close: () => options.dispatcher.destroy(),
  };
}

/** Base64 needs no escaping in JSON. int64 is a string there. */
function requestBody(field: "plaintext" | "ciphertext", bytes: Uint8Array): Buffer {
  const base64 = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("base64");
  return Buffer.from(`{"${field}":"${base64}","${field}Crc32c":"${crc32c(bytes)}"}`);
}
