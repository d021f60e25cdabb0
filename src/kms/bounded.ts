import { KeyServiceError } from "../core/errors.ts";
import type { KmsClient } from "./kms-client.ts";

/**
 * Refuses what comes while `maxCalls` of a rule are in flight: so a rule whose endpoint or token source hangs fills its
 * own share of the server and not that of the others.
 */
export function boundCalls(client: KmsClient, rule: string, maxCalls: number): KmsClient {
  let calls = 0;
  async function count<T>(work: () => Promise<T>): Promise<T> {
    if (calls >= maxCalls) throw fullError(rule, maxCalls);
    calls += 1;
    try {
      return await work();
    } finally {
      calls -= 1;
    }
  }
  return {
    encrypt: (plaintext, call) => count(() => client.encrypt(plaintext, call)),
    decrypt: (ciphertext, call) => count(() => client.decrypt(ciphertext, call)),
    close: () => client.close(),
  };
}

function fullError(rule: string, maxCalls: number): KeyServiceError {
  return new KeyServiceError("overloaded", {
    problem: `rule ${rule} has ${maxCalls} calls in flight already, its limit`,
    remedy: "try again in a moment; if it stays, see what makes its calls slow, or raise kms.maxCalls of the rule",
  });
}
