import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { base64Length, decodeBase64 } from "../../../src/core/base64.ts";

describe("decodeBase64", () => {
  test("gives back whatever was encoded", () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1 }), (bytes) => {
        const text = Buffer.from(bytes).toString("base64");
        assert.deepEqual(decodeBase64(text), Buffer.from(bytes));
        assert.equal(text.length, base64Length(bytes.length));
      }),
    );
  });

  for (const [what, text] of [
    ["nothing", ""],
    ["raw bytes", "\x00\x01\xff"],
    ["base64url", "-_-_"],
    ["missing padding", "YQ"],
    ["too much padding", "YQ==="],
    ["bits beyond the last byte", "YR=="],
    ["spaces", "YW Jj"],
    ["text behind the padding", "YQ==YQ=="],
  ] as const) {
    test(`refuses ${what}`, () => assert.equal(decodeBase64(text), undefined));
  }

  test("reads over line breaks, as sops' own decoder does", () => {
    assert.deepEqual(decodeBase64("YW\r\nJj\n"), Buffer.from("abc"));
  });

  test("never answers with other bytes than the text says", () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        const bytes = decodeBase64(text);
        if (bytes !== undefined) assert.equal(bytes.toString("base64"), text.replace(/[\r\n]/g, ""));
      }),
    );
  });
});
