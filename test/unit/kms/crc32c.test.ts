import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { crc32c } from "../../../src/kms/crc32c.ts";

// RFC 3720, appendix B.4, and the check value of the CRC catalogue.
const VECTORS = [
  { what: "32 bytes of zeros", bytes: Buffer.alloc(32), crc: 0x8a9136aa },
  { what: "32 bytes of ones", bytes: Buffer.alloc(32, 0xff), crc: 0x62a8ab43 },
  { what: "32 ascending bytes", bytes: Buffer.from(Array.from({ length: 32 }, (_, i) => i)), crc: 0x46dd794e },
  { what: "32 descending bytes", bytes: Buffer.from(Array.from({ length: 32 }, (_, i) => 31 - i)), crc: 0x113fdb5c },
  { what: "the digits 1 to 9", bytes: Buffer.from("123456789"), crc: 0xe3069283 },
  { what: "nothing", bytes: Buffer.alloc(0), crc: 0 },
] as const;

describe("crc32c", () => {
  for (const { what, bytes, crc } of VECTORS) {
    test(`gives the published value for ${what}`, () => assert.equal(crc32c(bytes), crc));
  }

  test("notices every single flipped bit", () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 64 }), fc.nat(), (bytes, where) => {
        const flipped = Uint8Array.from(bytes);
        const index = where % bytes.length;
        flipped[index] = (bytes[index] ?? 0) ^ (1 << (where % 8));
        assert.notEqual(crc32c(flipped), crc32c(bytes));
      }),
    );
  });
});
