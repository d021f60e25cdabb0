import { abortReason } from "../core/deadline.ts";
import { createCallIdentity } from "./call-identity.ts";
import type { DecryptResult, EncryptResult, KmsClient } from "./kms-client.ts";

/**
 * Makes one call of identical ones that are in flight at the same time. Each caller was authorised on its own before.
 *
 * The first asks, under its own signal; the others wait for its answer and get copies, so that each wipes its own. A
 * caller who gives up fails nobody else: where it was the one who asked, one of the others asks anew.
 */
export function joinIdenticalCalls(client: KmsClient): KmsClient {
  const identify = createCallIdentity();
  const encrypts = createFlights(
    (result: EncryptResult): EncryptResult => ({
      ...result,
      ciphertext: Buffer.from(result.ciphertext),
      servedBy: "joined",
    }),
  );
  const decrypts = createFlights(
    (result: DecryptResult): DecryptResult => ({
      ...result,
      plaintext: Buffer.from(result.plaintext),
      servedBy: "joined",
    }),
  );
  return {
    encrypt: (plaintext, call) =>
      encrypts(identify("encrypt", plaintext, call), call.signal, () => client.encrypt(plaintext, call)),
    decrypt: (ciphertext, call) =>
      decrypts(identify("decrypt", ciphertext, call), call.signal, () => client.decrypt(ciphertext, call)),
    close: () => client.close(),
  };
}

/** One who waits for what another asked for; undefined where that one gave up. */
interface Follower<R> {
  readonly resolve: (copy: R | undefined) => void;
  readonly reject: (error: unknown) => void;
}

type Followers<R> = Set<Follower<R>>;

/** Bounded by the calls in flight, since each flight and each follower is one of them. */
function createFlights<R>(copy: (result: R) => R) {
  const flights = new Map<string, Followers<R>>();

  async function lead(id: string, signal: AbortSignal, work: () => Promise<R>): Promise<R> {
    const followers: Followers<R> = new Set();
    flights.set(id, followers);
    const land = (tell: (follower: Follower<R>) => void) => {
      flights.delete(id);
      followers.forEach(tell);
    };
    try {
      const result = await work();
      // Here and now: the leader wipes what it got as soon as it is sent.
      land(({ resolve }) => resolve(copy(result)));
      return result;
    } catch (thrown) {
      land(signal.aborted ? ({ resolve }) => resolve(undefined) : ({ reject }) => reject(thrown));
      throw thrown;
    }
  }

  return async (id: string, signal: AbortSignal, work: () => Promise<R>): Promise<R> => {
    for (;;) {
      const followers = flights.get(id);
      if (followers === undefined) return lead(id, signal, work);
      const result = await follow(followers, signal);
      if (result !== undefined) return result;
    }
  };
}

function follow<R>(followers: Followers<R>, signal: AbortSignal): Promise<R | undefined> {
  if (signal.aborted) return Promise.reject(abortReason(signal));
  const { promise, resolve, reject } = Promise.withResolvers<R | undefined>();
  const follower = { resolve, reject };
  const onAbort = () => {
    followers.delete(follower);
    reject(abortReason(signal));
  };
  signal.addEventListener("abort", onAbort, { once: true });
  followers.add(follower);
  return promise.finally(() => signal.removeEventListener("abort", onAbort));
}
