import assert from "node:assert/strict";
import { test } from "node:test";
import { FieldReader, WireFormatError } from "../../../src/server/wire-format.ts";

function read(...bytes: readonly number[]): void {
  const fields = new FieldReader(Buffer.from(bytes));
  while (fields.next());
}

/** `count` bytes that each say that there is another. */
const more = (count: number): readonly number[] => new Array<number>(count).fill(0xff);

const REFUSED: Readonly<Record<string, readonly number[]>> = {
  "a tag that is cut off": [0x80],
  "a field of number 0": [0x02, 0x00],
  "a field of a number above 2^29 - 1": [0x82, 0x80, 0x80, 0x80, 0x10, 0x00],
  "a varint that is cut off": [0x08, 0xff],
  "a varint of eleven bytes": [0x08, ...more(10), 0x01],
  "a varint of 65 bits": [0x08, ...more(9), 0x02],
  "bytes that end too early": [0x0a, 0x03, 1, 2],
  "a length of nearly 64 bits": [0x0a, ...more(9), 0x01],
  "eight bytes that are seven": [0x09, 1, 2, 3, 4, 5, 6, 7],
  "four bytes that are three": [0x0d, 1, 2, 3],
  "a wire type that does not exist": [0x0e, 0x00],
  "a group that does not end": [0x0b, 0x08, 0x01],
  "a group that ends as another one": [0x0b, 0x14],
  "the end of no group": [0x0c],
  "groups in groups without end": more(0).concat(new Array<number>(101).fill(0x0b), new Array<number>(101).fill(0x0c)),
};

for (const [name, bytes] of Object.entries(REFUSED)) {
  test(`${name}: refused`, () => assert.throws(() => read(...bytes), WireFormatError));
}

test("the largest varint, an overlong one, empty bytes and a hundred groups are well formed", () => {
  read(0x08, ...more(9), 0x01);
  read(0x88, 0x00, 0x81, 0x80, 0x00);
  read(0x0a, 0x00);
  read(...new Array<number>(100).fill(0x0b), ...new Array<number>(100).fill(0x0c));
});

test("a field's bytes are a view of the message, not a copy", () => {
  const message = Buffer.of(0x12, 0x02, 7, 8);
  const fields = new FieldReader(message);
  assert.equal(fields.next(), true);
  fields.bytes?.fill(0);
  assert.deepEqual(message, Buffer.of(0x12, 0x02, 0, 0));
});
