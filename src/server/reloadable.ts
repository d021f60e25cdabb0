import type { KeyBackend } from "../backends/backend.ts";
import type { GcpKmsKey } from "../backends/sops-key.ts";
import type { Backends } from "../key-service.ts";

/** Backends that can be closed when the calls they are answering have ended. */
export interface ClosableBackends extends Backends {
  close(): Promise<void>;
}

export interface Reloadable {
  /** The newest backends; a call keeps the ones it began with. */
  current(): Backends;
  /** The next call gets `next`. Resolves when the last call on the old ones has ended and they are closed. */
  swap(next: ClosableBackends): Promise<void>;
  close(): Promise<void>;
}

/** One immutable state at a time, swapped as a whole: no call ever sees half of a new config. */
export function createReloadable(first: ClosableBackends): Reloadable {
  let lease = createLease(first);
  return {
    current: () => lease.backends,
    swap(next) {
      const old = lease;
      lease = createLease(next);
      return old.retire();
    },
    close: () => lease.retire(),
  };
}

interface Lease {
  readonly backends: Backends;
  /** Closes once no call is left; resolves when that is done. */
  retire(): Promise<void>;
}

function createLease(owned: ClosableBackends): Lease {
  let calls = 0;
  let retired = false;
  const closed = Promise.withResolvers<void>();
  const closeWhenIdle = () => {
    if (retired && calls === 0) owned.close().then(closed.resolve, closed.reject);
  };
  const count = async <T>(work: () => Promise<T>): Promise<T> => {
    calls += 1;
    try {
      return await work();
    } finally {
      calls -= 1;
      closeWhenIdle();
    }
  };
  const gcpKms: KeyBackend<GcpKmsKey> = {
    encrypt: (key, plaintext, context) => count(() => owned.gcpKms.encrypt(key, plaintext, context)),
    decrypt: (key, ciphertext, context) => count(() => owned.gcpKms.decrypt(key, ciphertext, context)),
  };
  return {
    backends: {
      identify: (caller) => owned.identify(caller),
      authenticate: (authorization, signal, work) => count(() => owned.authenticate(authorization, signal, work)),
      gcpKms,
    },
    retire() {
      if (!retired) {
        retired = true;
        closeWhenIdle();
      }
      return closed.promise;
    },
  };
}
