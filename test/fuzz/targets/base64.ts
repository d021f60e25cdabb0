import assert from "node:assert/strict";
import { decodeBase64 } from "../../../src/core/base64.ts";
import type { Target } from "../harness/target.ts";

const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/** The ciphertext of a sops file, and the bytes in answers of Cloud KMS. */
export const base64: Target = {
  name: "base64",
  dictionary: ["=", "==", "\n", "\r\n", "-", "_", "+", "/", " ", "A", "AAAA", "/w==", "//8="],
  maxBytes: 300,
  open: () => ({
    run(input) {
      const text = input.toString("latin1");
      const decoded = decodeBase64(text);
      const expected = decode(text.replaceAll("\n", "").replaceAll("\r", ""));
      assert.deepEqual(decoded === undefined ? undefined : [...decoded], expected);
      return `${expected === undefined} ${text.length % 4} ${text.indexOf("=") === -1}`;
    },
    samples: [0, 1, 2, 3, 62].map((length) => Buffer.from(Buffer.alloc(length, 0xfb).toString("base64"))),
  }),
};

/** RFC 4648, section 4, bit by bit; undefined where it is none, or nothing. */
function decode(text: string): readonly number[] | undefined {
  const digits = text.replace(/={1,2}$/, "");
  if (text.length === 0 || text.length % 4 !== 0) return undefined;
  const bits = [...digits].map((digit) => ALPHABET.indexOf(digit));
  if (bits.includes(-1)) return undefined;
  const all = bits.map((value) => value.toString(2).padStart(6, "0")).join("");
  const whole = Math.floor(all.length / 8) * 8;
  if (/1/.test(all.slice(whole))) return undefined;
  return Array.from({ length: whole / 8 }, (_, index) => Number.parseInt(all.slice(index * 8, index * 8 + 8), 2));
}
