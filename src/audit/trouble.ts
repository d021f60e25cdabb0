import type { Clock } from "../core/clock.ts";

/** Tells the operator of a sink's trouble: at once when it begins, and then no more often than it can be read. */
export interface Trouble {
  /** @param lost records that are not passed on */
  tell(why: string, lost: number): void;
  /** All is well again. */
  over(): void;
}

const REPEAT_MS = 30_000;

export function createTrouble(name: string, clock: Clock, warn: (message: string) => void): Trouble {
  let toldAtMs = Number.NEGATIVE_INFINITY;
  let lost = 0;
  return {
    tell(why, more) {
      lost += more;
      if (clock.monotonicMs() - toldAtMs < REPEAT_MS) return;
      toldAtMs = clock.monotonicMs();
      warn(`audit records do not reach ${name}: ${why}${lost === 0 ? "" : `; ${lost} are lost to it so far`}`);
    },
    over() {
      toldAtMs = Number.NEGATIVE_INFINITY;
    },
  };
}
