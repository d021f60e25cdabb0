/**
 * The protobuf wire format, as much of it as a server of small messages needs.
 * https://protobuf.dev/programming-guides/encoding/
 */

/** The bytes are no protobuf message. */
export class WireFormatError extends Error {
  override readonly name = "WireFormatError";
}

const WIRE_TYPE = { varint: 0, fixed64: 1, bytes: 2, groupStart: 3, groupEnd: 4, fixed32: 5 } as const;
const MAX_FIELD_NUMBER = 2 ** 29 - 1;
const MAX_VARINT_BYTES = 10;
/** As deep as other libraries go by default. */
const MAX_GROUP_DEPTH = 100;

/**
 * Goes through the fields of one message, in their order on the wire. It copies nothing and calls nothing back.
 *
 * Every field is checked to end within the message before it is shown, so a length that lies costs nothing.
 */
export class FieldReader {
  /** Of the field that `next` has read. */
  number = 0;
  /** Its value where it is a string, bytes or a message: a view of the input. Undefined for every other type. */
  bytes: Buffer | undefined;
  /** Its value where it is a varint, exact up to 2^53. Undefined for every other type. */
  varint: number | undefined;

  readonly #message: Buffer;
  #position = 0;

  constructor(message: Buffer) {
    this.#message = message;
  }

  /**
   * @returns false at the end of the message
   * @throws WireFormatError
   */
  next(): boolean {
    if (this.#position === this.#message.length) return false;
    const tag = this.#readTag();
    this.number = tag.number;
    this.bytes = undefined;
    this.varint = undefined;
    if (tag.wireType === WIRE_TYPE.bytes) this.bytes = this.#take(this.#readVarint());
    else if (tag.wireType === WIRE_TYPE.varint) this.varint = this.#readVarint();
    else if (tag.wireType === WIRE_TYPE.groupStart) this.#skipGroup(tag.number);
    else this.#skipValue(tag.wireType);
    return true;
  }

  #readTag(): { readonly number: number; readonly wireType: number } {
    const tag = this.#readVarint();
    const number = Math.floor(tag / 8);
    if (number === 0 || number > MAX_FIELD_NUMBER) throw new WireFormatError("a field has an impossible number");
    return { number, wireType: tag % 8 };
  }

  /** What exceeds 2^53 is rounded: as a length or a tag it is refused all the same. */
  #readVarint(): number {
    let value = 0;
    let scale = 1;
    for (let length = 1; length <= MAX_VARINT_BYTES; length += 1) {
      const byte = this.#message[this.#position];
      if (byte === undefined) throw new WireFormatError("a number is cut off");
      this.#position += 1;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) {
        if (length === MAX_VARINT_BYTES && byte > 1) break;
        return value;
      }
      scale *= 0x80;
    }
    throw new WireFormatError("a number has more than 64 bits");
  }

  #take(length: number): Buffer {
    const start = this.#position;
    if (length > this.#message.length - start) throw new WireFormatError("a field is longer than its message");
    this.#position = start + length;
    return this.#message.subarray(start, this.#position);
  }

  #skipValue(wireType: number): void {
    if (wireType === WIRE_TYPE.varint) this.#readVarint();
    else if (wireType === WIRE_TYPE.fixed64) this.#take(8);
    else if (wireType === WIRE_TYPE.bytes) this.#take(this.#readVarint());
    else if (wireType === WIRE_TYPE.fixed32) this.#take(4);
    else throw new WireFormatError("a field has an impossible type");
  }

  /** Groups are deprecated and none of ours, but a field that we do not know may be one. */
  #skipGroup(outermost: number): void {
    const open = [outermost];
    while (open.length > 0) {
      const { number, wireType } = this.#readTag();
      if (wireType === WIRE_TYPE.groupStart) open.push(number);
      else if (wireType !== WIRE_TYPE.groupEnd) this.#skipValue(wireType);
      else if (open.pop() !== number) throw new WireFormatError("a group ends that has not begun");
      if (open.length > MAX_GROUP_DEPTH) throw new WireFormatError("groups are nested too deeply");
    }
  }
}

/** A string, bytes or a message as field `number` (below 16), in a buffer of its own. */
export function encodeBytesField(number: number, value: Uint8Array): Buffer {
  const header = [number * 8 + WIRE_TYPE.bytes];
  let rest = value.length;
  for (; rest > 0x7f; rest = Math.floor(rest / 0x80)) header.push((rest % 0x80) | 0x80);
  header.push(rest);
  const field = Buffer.allocUnsafe(header.length + value.length);
  field.set(header);
  field.set(value, header.length);
  return field;
}

/** A number below 128, such as a member of an enum, as field `number` (below 16). */
export function encodeSmallField(number: number, value: number): Buffer {
  return Buffer.of(number * 8 + WIRE_TYPE.varint, value);
}
