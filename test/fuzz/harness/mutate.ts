import type { Random } from "../../fakes/random.ts";

/** Sizes, signs and ends of ranges, where code that counts goes wrong. */
const NUMBERS = [
  "0",
  "-1",
  "1e999",
  "-1e300",
  "1e300",
  "9007199254740993",
  "4294967296",
  "65536",
  "255",
  "0x10",
  "1.5",
  "NaN",
  "-0",
];
const BYTES = [0x00, 0x01, 0x09, 0x0a, 0x0d, 0x1b, 0x20, 0x22, 0x2e, 0x2f, 0x5c, 0x7f, 0x80, 0xc0, 0xff];
const TEXTS = [
  "\u0000",
  "\n",
  "\r\n",
  "\u001b[2J",
  "\u202e",
  "\u2028",
  "\ufeff",
  "\u00e9",
  "\ud83d\udd11",
  "__proto__",
  "constructor",
  "toString",
  "null",
  "true",
  "[]",
  "{}",
  "%00",
  "%2e%2e%2f",
  "../",
];
const MAX_STEPS = 5;
const MAX_RANGE = 64;

export interface Mutating {
  readonly random: Random;
  readonly pool: readonly Buffer[];
  /** So many of the pool, from its beginning, are the corpus. */
  readonly seeds: number;
  readonly dictionary: readonly string[];
  readonly maxBytes: number;
}

type Step = (input: Buffer, mutating: Mutating) => Buffer;

/** An input that is a few steps away from one of the pool. */
export function mutate(mutating: Mutating): Buffer {
  const { random, maxBytes, pool, seeds } = mutating;
  // The corpus as often as all that came of it: else what is near to a good input is tried less and less.
  let input = pool[random(random(2) === 0 ? seeds : pool.length)] ?? Buffer.alloc(0);
  for (let left = 1 + random(MAX_STEPS); left > 0; left -= 1) {
    input = (pick(STEPS, random) ?? flipBit)(input, mutating);
  }
  return input.length > maxBytes ? input.subarray(0, maxBytes) : input;
}

const flipBit: Step = (input, { random }) => changeByte(input, random, (byte) => byte ^ (1 << random(8)));
const setByte: Step = (input, { random }) => changeByte(input, random, () => pick(BYTES, random) ?? 0);
const anyByte: Step = (input, { random }) => changeByte(input, random, () => random(256));
const addToByte: Step = (input, { random }) => changeByte(input, random, (byte) => byte + random(9) - 4);

const remove: Step = (input, { random }) => {
  const [from, to] = range(input, random);
  return Buffer.concat([input.subarray(0, from), input.subarray(to)]);
};
const repeat: Step = (input, { random }) => {
  const [from, to] = range(input, random);
  return Buffer.concat([input.subarray(0, to), input.subarray(from)]);
};
const move: Step = (input, { random }) => {
  const [from, to] = range(input, random);
  const rest = Buffer.concat([input.subarray(0, from), input.subarray(to)]);
  return insert(rest, random(rest.length + 1), input.subarray(from, to));
};
const putWord: Step = (input, { random, dictionary }) => put(input, random, pick(dictionary, random) ?? "");
const putNumber: Step = (input, { random }) => put(input, random, pick(NUMBERS, random) ?? "");
const putText: Step = (input, { random }) => put(input, random, pick(TEXTS, random) ?? "");
const putBytes: Step = (input, { random }) =>
  insert(input, random(input.length + 1), Buffer.from(Array.from({ length: 1 + random(8) }, () => random(256))));
const cut: Step = (input, { random }) => input.subarray(0, random(input.length + 1));
/** The beginning of one and the end of another. */
const splice: Step = (input, { random, pool }) => {
  const other = pick(pool, random) ?? input;
  return Buffer.concat([input.subarray(0, random(input.length + 1)), other.subarray(random(other.length + 1))]);
};
/** A range of another in the place of one of this. */
const graft: Step = (input, { random, pool }) => {
  const other = pick(pool, random) ?? input;
  const [from, to] = range(other, random);
  const [start, end] = range(input, random);
  return Buffer.concat([input.subarray(0, start), other.subarray(from, to), input.subarray(end)]);
};
const fresh: Step = (_input, { random }) => Buffer.from(Array.from({ length: random(40) }, () => random(256)));

const STEPS: readonly Step[] = [
  flipBit,
  setByte,
  anyByte,
  addToByte,
  remove,
  remove,
  repeat,
  move,
  putWord,
  putWord,
  putWord,
  putNumber,
  putText,
  putBytes,
  cut,
  splice,
  graft,
  graft,
  // Rarely: it throws away what was found out before.
  (input, mutating) => (mutating.random(50) === 0 ? fresh : flipBit)(input, mutating),
];

function pick<T>(items: readonly T[], random: Random): T | undefined {
  return items[random(items.length)];
}

function changeByte(input: Buffer, random: Random, change: (byte: number) => number): Buffer {
  if (input.length === 0) return input;
  const changed = Buffer.from(input);
  const at = random(changed.length);
  changed[at] = change(changed[at] ?? 0) & 0xff;
  return changed;
}

function range(input: Buffer, random: Random): readonly [from: number, to: number] {
  const from = random(input.length + 1);
  const length = random(8) === 0 ? random(input.length + 1) : random(MAX_RANGE);
  return [from, Math.min(input.length, from + length)];
}

/** Between what is there, or in the place of as much. */
function put(input: Buffer, random: Random, text: string): Buffer {
  const bytes = Buffer.from(text);
  const at = random(input.length + 1);
  if (random(2) === 0) return insert(input, at, bytes);
  return Buffer.concat([input.subarray(0, at), bytes, input.subarray(Math.min(input.length, at + bytes.length))]);
}

function insert(input: Buffer, at: number, bytes: Uint8Array): Buffer {
  return Buffer.concat([input.subarray(0, at), bytes, input.subarray(at)]);
}
