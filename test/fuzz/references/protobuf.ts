/**
 * A protobuf reader written down anew, as plainly as possible and with exact numbers.
 * https://protobuf.dev/programming-guides/encoding/
 */
export interface Field {
  readonly number: number;
  /** Of a varint, or of what has a length; undefined for other types. */
  readonly value: bigint | Buffer | undefined;
}

export class NoMessage extends Error {
  override readonly name = "NoMessage";
}

const MAX_GROUP_DEPTH = 100;
const [VARINT, FIXED64, BYTES, GROUP_START, GROUP_END, FIXED32] = [0n, 1n, 2n, 3n, 4n, 5n];

interface Cursor {
  readonly bytes: Buffer;
  at: number;
}

/** @throws NoMessage */
export function readFields(bytes: Buffer): readonly Field[] {
  const cursor: Cursor = { bytes, at: 0 };
  const fields: Field[] = [];
  while (cursor.at < bytes.length) {
    const { number, type } = readTag(cursor);
    fields.push({ number, value: readValue(cursor, number, type, 0) });
  }
  return fields;
}

function readTag(cursor: Cursor): { readonly number: number; readonly type: bigint } {
  const tag = readVarint(cursor);
  const number = tag >> 3n;
  if (number < 1n || number > 536_870_911n) throw new NoMessage("number of a field");
  return { number: Number(number), type: tag & 7n };
}

function readVarint(cursor: Cursor): bigint {
  let value = 0n;
  for (let index = 0n; index < 10n; index += 1n) {
    const byte = take(cursor, 1n)[0] ?? 0;
    value |= BigInt(byte & 0x7f) << (7n * index);
    if (byte < 0x80) {
      if (value >= 1n << 64n) break;
      return value;
    }
  }
  throw new NoMessage("more than 64 bits");
}

function take(cursor: Cursor, length: bigint): Buffer {
  if (length > BigInt(cursor.bytes.length - cursor.at)) throw new NoMessage("cut off");
  const taken = cursor.bytes.subarray(cursor.at, cursor.at + Number(length));
  cursor.at += Number(length);
  return taken;
}

function readValue(cursor: Cursor, number: number, type: bigint, depth: number): bigint | Buffer | undefined {
  switch (type) {
    case VARINT:
      return readVarint(cursor);
    case BYTES:
      return take(cursor, readVarint(cursor));
    case FIXED64:
      take(cursor, 8n);
      return undefined;
    case FIXED32:
      take(cursor, 4n);
      return undefined;
    case GROUP_START:
      skipGroup(cursor, number, depth + 1);
      return undefined;
    default:
      throw new NoMessage("type of a field");
  }
}

function skipGroup(cursor: Cursor, number: number, depth: number): void {
  if (depth > MAX_GROUP_DEPTH) throw new NoMessage("groups in groups");
  for (;;) {
    const tag = readTag(cursor);
    if (tag.type !== GROUP_END) readValue(cursor, tag.number, tag.type, depth);
    else if (tag.number === number) return;
    else throw new NoMessage("end of another group");
  }
}
