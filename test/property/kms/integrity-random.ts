/** Random numbers that a seed gives again: the same run for the same seed. */
export interface SeededRandom {
  /** From 0 up to `bound`, that excluded. */
  below(bound: number): number;
  bytes(length: number): Buffer;
  pick<T>(choices: readonly T[]): T;
}

/** Mulberry32: good enough to choose damage by, and fast. */
export function createSeededRandom(seed: number): SeededRandom {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return (mixed ^ (mixed >>> 14)) >>> 0;
  };
  const below = (bound: number) => next() % bound;
  return {
    below,
    bytes(length) {
      const bytes = Buffer.allocUnsafe(length);
      for (let index = 0; index < length; index += 1) bytes[index] = next();
      return bytes;
    },
    pick(choices) {
      const choice = choices[below(choices.length)];
      if (choice === undefined) throw new RangeError("nothing to choose from");
      return choice;
    },
  };
}
