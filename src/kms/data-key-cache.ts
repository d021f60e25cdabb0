import type { Clock } from "../core/clock.ts";
import { createCallIdentity } from "./call-identity.ts";
import type { DecryptResult, KmsClient } from "./kms-client.ts";

export interface DataKeyCacheOptions {
  /** How long a decrypted data key is kept, milliseconds. */
  readonly ttlMs: number;
  readonly maxEntries: number;
  readonly clock: Clock;
}

/** A data key has 33 bytes at most. What is larger is no data key of SOPS, and would make the bound on entries void. */
const MAX_CACHED_BYTES = 1_024;

interface Entry {
  readonly plaintext: Buffer;
  readonly principal: string | undefined;
  /** By both clocks: the wall clock can be set back, and the monotonic one stands still while a machine sleeps. */
  readonly storedAtMs: number;
  readonly storedMonotonicMs: number;
}

/**
 * Answers decrypts from memory for a while, without a token and without Cloud KMS: so it also answers for that long
 * after the permission was taken away. One cache for each rule, asked after the caller was authorised. Data keys are
 * wiped when they expire, when there is no room for them and on close. Encrypts are never cached.
 */
export function cacheDataKeys(client: KmsClient, options: DataKeyCacheOptions): KmsClient {
  const { ttlMs, maxEntries, clock } = options;
  const identify = createCallIdentity();
  // All live equally long, so the order of insertion is the order of expiry.
  const entries = new Map<string, Entry>();
  let cancelSweep: (() => void) | undefined;
  let closed = false;

  function isFresh({ storedAtMs, storedMonotonicMs }: Entry): boolean {
    const ageMs = clock.nowMs() - storedAtMs;
    return ageMs >= 0 && ageMs < ttlMs && clock.monotonicMs() - storedMonotonicMs < ttlMs;
  }

  function remove(id: string, { plaintext }: Entry): void {
    entries.delete(id);
    plaintext.fill(0);
  }

  function sweep(): void {
    cancelSweep = undefined;
    for (const [id, entry] of entries) {
      if (isFresh(entry)) break;
      remove(id, entry);
    }
    scheduleSweep();
  }

  function scheduleSweep(): void {
    const [oldest] = entries.values();
    if (oldest === undefined || cancelSweep !== undefined) return;
    cancelSweep = clock.schedule(Math.max(1, oldest.storedMonotonicMs + ttlMs - clock.monotonicMs()), sweep);
  }

  function find(id: string): Entry | undefined {
    const entry = entries.get(id);
    if (entry === undefined || isFresh(entry)) return entry;
    remove(id, entry);
    return undefined;
  }

  function store(id: string, { plaintext, principal }: DecryptResult): void {
    if (closed || entries.has(id) || plaintext.length > MAX_CACHED_BYTES) return;
    const [oldest] = entries;
    if (entries.size >= maxEntries && oldest !== undefined) remove(...oldest);
    entries.set(id, {
      plaintext: Buffer.from(plaintext),
      principal,
      storedAtMs: clock.nowMs(),
      storedMonotonicMs: clock.monotonicMs(),
    });
    scheduleSweep();
  }

  return {
    encrypt: (plaintext, call) => client.encrypt(plaintext, call),
    async decrypt(ciphertext, call) {
      const id = identify("decrypt", ciphertext, call);
      const entry = find(id);
      if (entry === undefined) {
        const result = await client.decrypt(ciphertext, call);
        store(id, result);
        return result;
      }
      const { plaintext, principal } = entry;
      return {
        plaintext: Buffer.from(plaintext),
        servedBy: "cache",
        ...(principal === undefined ? {} : { principal }),
      };
    },
    async close() {
      closed = true;
      cancelSweep?.();
      for (const [id, entry] of entries) remove(id, entry);
      await client.close();
    },
  };
}
