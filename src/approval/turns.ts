import { abortReason } from "../core/deadline.ts";

/** Lets so many do something at once; the others wait in the order in which they came. */
export interface Turns {
  /**
   * Waits for a turn; it is given back when it is disposed of.
   *
   * @throws TooManyWaiting, or the signal's reason
   */
  take(signal: AbortSignal): Promise<Disposable>;
}

/** There is no room to wait in. */
export class TooManyWaiting extends Error {
  override readonly name = "TooManyWaiting";
}

export function createTurns(maxAtOnce: number, maxWaiting: number): Turns {
  let taken = 0;
  const waiting = new Set<() => void>();

  const turn: Disposable = {
    [Symbol.dispose]() {
      const [next] = waiting;
      if (next === undefined) {
        taken -= 1;
        return;
      }
      // The turn goes from hand to hand: nobody who comes in between can take it.
      waiting.delete(next);
      next();
    },
  };

  return {
    take(signal) {
      if (signal.aborted) return Promise.reject(abortReason(signal));
      if (taken < maxAtOnce) {
        taken += 1;
        return Promise.resolve(turn);
      }
      if (waiting.size >= maxWaiting) return Promise.reject(new TooManyWaiting());
      const { promise, resolve, reject } = Promise.withResolvers<Disposable>();
      const onTurn = () => {
        signal.removeEventListener("abort", onAbort);
        resolve(turn);
      };
      const onAbort = () => {
        waiting.delete(onTurn);
        reject(abortReason(signal));
      };
      waiting.add(onTurn);
      signal.addEventListener("abort", onAbort, { once: true });
      return promise;
    },
  };
}
