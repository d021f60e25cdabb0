import type { SeededRandom } from "./integrity-random.ts";

/** Damages bytes on their way; what comes back may by chance mean the same. */
export type Damage = (bytes: Buffer, random: SeededRandom) => Buffer;

function flipBits(bytes: Buffer, random: SeededRandom): Buffer {
  const damaged = Buffer.from(bytes);
  if (damaged.length === 0) return damaged;
  for (let count = 1 + random.below(3); count > 0; count -= 1) {
    const index = random.below(damaged.length);
    damaged[index] = (damaged[index] ?? 0) ^ (1 << random.below(8));
  }
  return damaged;
}

function overwriteRun(bytes: Buffer, random: SeededRandom): Buffer {
  const damaged = Buffer.from(bytes);
  random.bytes(1 + random.below(16)).copy(damaged, random.below(Math.max(1, damaged.length)));
  return damaged;
}

const truncate: Damage = (bytes, random) => bytes.subarray(0, random.below(bytes.length + 1));

function dropByte(bytes: Buffer, random: SeededRandom): Buffer {
  const at = random.below(bytes.length + 1);
  return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1)]);
}

function insertBytes(bytes: Buffer, random: SeededRandom): Buffer {
  const at = random.below(bytes.length + 1);
  return Buffer.concat([bytes.subarray(0, at), random.bytes(1 + random.below(4)), bytes.subarray(at)]);
}

/** One character of a text value is another: most flipped bits make no JSON at all, these all do. */
function changeCharacter(bytes: Buffer, random: SeededRandom): Buffer {
  const damaged = Buffer.from(bytes);
  for (let attempt = 0; attempt < 20; attempt += 1) {
    const index = random.below(Math.max(1, damaged.length));
    if (!isWordCharacter(damaged[index] ?? 0)) continue;
    damaged[index] = random.pick(WORD_CHARACTERS);
    return damaged;
  }
  return damaged;
}

const WORD_CHARACTERS: readonly number[] = [
  ...Buffer.from("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"),
];
const isWordCharacter = (byte: number) => WORD_CHARACTERS.includes(byte);

/** One field has another value, or none: what a broken middle box or a wrong merge of two answers makes. */
function editField(bytes: Buffer, random: SeededRandom): Buffer {
  const fields = parseFields(bytes);
  const names = Object.keys(fields);
  if (names.length === 0) return bytes;
  const name = random.pick(names);
  fields[name] = random.pick(EDITS)(fields[name], random, fields);
  return Buffer.from(JSON.stringify(fields));
}

type Edit = (value: unknown, random: SeededRandom, fields: Readonly<Record<string, unknown>>) => unknown;

const EDITS: readonly Edit[] = [
  () => undefined,
  () => null,
  () => "",
  () => false,
  (value) => (value === true ? "true" : true),
  (_, random) => String(random.below(2 ** 32)),
  // One bit of a checksum, in each of its 32 places.
  (value, random) => String((Number(value) ^ (1 << random.below(32))) >>> 0),
  (_, random) => random.bytes(32).toString("base64"),
  (_, random, fields) => fields[random.pick(Object.keys(fields))],
  (value) => (typeof value === "string" ? String(Number(value) + 1) : 1),
  (value) => (typeof value === "string" ? value.slice(0, -4) : []),
  (value) => (typeof value === "string" ? value.replace("/cryptoKeys/k", "/cryptoKeys/x") : {}),
  (value) => (typeof value === "string" ? value.replace(/\d+$/, "0") : 0),
];

function parseFields(bytes: Buffer): Record<string, unknown> {
  try {
    const fields: unknown = JSON.parse(bytes.toString());
    return typeof fields === "object" && fields !== null ? { ...fields } : {};
  } catch {
    return {};
  }
}

/** Every way in which an answer or the body of a request is damaged. */
export const DAMAGES: Readonly<Record<string, Damage>> = {
  "bits flipped": flipBits,
  "run overwritten": overwriteRun,
  truncated: truncate,
  "byte dropped": dropByte,
  "bytes inserted": insertBytes,
  "character changed": changeCharacter,
  "field edited": editField,
};
