import assert from "node:assert/strict";
import { test } from "node:test";
import { crc32c } from "../../../src/emulator/crc32c.ts";

test("the check value of CRC-32C is right", () => {
  assert.equal(crc32c(Buffer.from("123456789")), 0xe3069283);
});

// https://www.rfc-editor.org/rfc/rfc3720#appendix-B.4, which prints the bytes in the order of the wire.
const ISCSI_VECTORS = [
  { name: "32 bytes of zeros", bytes: Buffer.alloc(32), expected: 0x8a9136aa },
  { name: "32 bytes of ones", bytes: Buffer.alloc(32, 0xff), expected: 0x62a8ab43 },
  { name: "32 incrementing bytes", bytes: Buffer.from(Array.from({ length: 32 }, (_, i) => i)), expected: 0x46dd794e },
  { name: "nothing", bytes: Buffer.alloc(0), expected: 0 },
];
for (const { name, bytes, expected } of ISCSI_VECTORS) {
  test(`RFC 3720: ${name}`, () => assert.equal(crc32c(bytes), expected));
}
