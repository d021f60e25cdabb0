import { type LookupAddress, type LookupOptions, lookup as systemLookup } from "node:dns";
import type { LookupFunction } from "node:net";

type Answer = [error: NodeJS.ErrnoException | null, address: string | LookupAddress[], family?: number];

/**
 * Looks up a name once for all who ask at the same time.
 *
 * The system's resolver runs in a few threads that the whole process shares: without this, the connections of one rule
 * whose name server is silent would keep all others from being looked up.
 */
export function createJoinedLookup(lookup: LookupFunction = systemLookup): LookupFunction {
  const underWay = new Map<string, ((...answer: Answer) => void)[]>();
  return (hostname, options, callback) => {
    const key = describe(hostname, options);
    const waiting = underWay.get(key);
    if (waiting !== undefined) {
      waiting.push(callback);
      return;
    }
    const callbacks = [callback];
    underWay.set(key, callbacks);
    lookup(hostname, options, (...answer) => {
      underWay.delete(key);
      for (const each of callbacks) each(...answer);
    });
  };
}

function describe(hostname: string, { family, hints, all, order }: LookupOptions): string {
  return [hostname, family, hints, all, order].join();
}

/** One for the whole process, as the threads are. */
export const joinedLookup: LookupFunction = createJoinedLookup();
