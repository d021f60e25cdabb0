import assert from "node:assert/strict";
import type { Clock } from "../../../src/core/clock.ts";
import { KeyServiceError } from "../../../src/core/errors.ts";
import { createKmsClient } from "../../../src/kms/client.ts";
import type { KmsCall, KmsClient } from "../../../src/kms/kms-client.ts";
import { createQuotaLimiters } from "../../../src/kms/quota-limiters.ts";
import { createRestTransport } from "../../../src/kms/rest-transport.ts";
import type { CryptoKeyName } from "../../../src/routing/resource-name.ts";
import { createFakeTokenHolder } from "../../fakes/token-holder.ts";
import { KEYS, sealed, unseal } from "./integrity-kms.ts";
import { createSeededRandom, type SeededRandom } from "./integrity-random.ts";
import { createDamagingWay, type DamagingWay, type Passage } from "./integrity-way.ts";

export interface IntegrityReport {
  readonly operations: number;
  readonly answered: number;
  /** By error code. */
  readonly refused: ReadonlyMap<string, number>;
  /** Answers and requests that were discarded for what was wrong with them, and reported. */
  readonly discarded: number;
  /** Passages by kind of damage. */
  readonly passages: ReadonlyMap<string, number>;
}

/**
 * Encrypts and decrypts over a way that damages requests and answers. The whole client is at work, all but sockets.
 *
 * @throws AssertionError where a wrong plaintext or ciphertext is handed out, where damage that changes what is said is
 * not noticed, or where what arrived undamaged is refused
 */
export async function runIntegrity(seed: number, operations: number): Promise<IntegrityReport> {
  const random = createSeededRandom(seed);
  const way = createDamagingWay(random);
  const refused = new Map<string, number>();
  let [answered, discarded] = [0, 0];
  const client = createClient(way, () => {
    discarded += 1;
  });
  for (let count = 0; count < operations; count += 1) {
    const error = await performOne(client, random).catch(asKeyServiceError);
    const { last } = way;
    assert.ok(last !== undefined);
    if (error === undefined) {
      answered += 1;
      checkAccepted(last);
    } else {
      refused.set(error.code, (refused.get(error.code) ?? 0) + 1);
      checkRefused(error, last);
    }
  }
  await client.close();
  return { operations, answered, refused, discarded, passages: way.counts };
}

/** What was accepted said what was sent. A decrypt request whose checksum was lost is answered rightly all the same. */
function checkAccepted({ damage, answerMeansElse }: Passage): void {
  assert.equal(answerMeansElse, false, `an answer was accepted although it said something else (${damage.join()})`);
}

function checkRefused(error: KeyServiceError, { damage, answerMeansElse, requestMeansElse }: Passage): void {
  // Damage that changes no meaning may still be refused: base64 with a character too many, say.
  const isUndamaged = damage.length === 0 && !requestMeansElse && !answerMeansElse;
  assert.equal(isUndamaged, false, `what arrived undamaged was refused: ${error.message}`);
}

/** One operation; throws an AssertionError where its result is wrong, and the client's error where it fails. */
async function performOne(client: KmsClient, random: SeededRandom): Promise<undefined> {
  const key = random.pick(KEYS);
  const dataKey = random.bytes(32 + random.below(2));
  const call = callFor(key);
  if (random.below(2) === 0) {
    const { ciphertext, keyVersion } = await client.encrypt(dataKey, call);
    assert.ok(keyVersion.startsWith(`${key}/cryptoKeyVersions/`), "a ciphertext of another key");
    assert.ok(unseal(key, ciphertext)?.equals(dataKey), "a ciphertext that does not give back the data key");
  } else {
    const { plaintext } = await client.decrypt(sealed(key, dataKey), call);
    assert.ok(plaintext.equals(dataKey), "a wrong plaintext");
  }
  return undefined;
}

const tokens = createFakeTokenHolder();
const signal = new AbortController().signal;
const callFor = (key: CryptoKeyName): KmsCall => ({ key, tokens, reason: undefined, signal });

function createClient(way: DamagingWay, onDiscarded: () => void): KmsClient {
  return createKmsClient({
    rule: "rule",
    transport: createRestTransport({
      dispatcher: way.dispatcher,
      endpoint: "https://cloudkms.example",
      quotaProject: undefined,
      userAgent: "test",
      clock: HURRIED_CLOCK,
    }),
    attemptTimeoutMs: 3_000,
    quotaProject: undefined,
    limiters: createQuotaLimiters(HURRIED_CLOCK, () => {}),
    clock: HURRIED_CLOCK,
    random: () => 0,
    report: onDiscarded,
  });
}

/** Pauses are over at once, and deadlines never come. */
const HURRIED_CLOCK: Clock = {
  nowMs: () => 0,
  monotonicMs: () => 0,
  schedule(delayMs, callback) {
    if (delayMs < 1_000) queueMicrotask(callback);
    return () => {};
  },
};

function asKeyServiceError(thrown: unknown): KeyServiceError {
  if (thrown instanceof KeyServiceError) return thrown;
  throw thrown;
}
