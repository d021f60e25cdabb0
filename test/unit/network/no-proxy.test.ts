import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { parseNoProxy } from "../../../src/network/no-proxy.ts";

describe("NO_PROXY", () => {
  for (const [text, host, isExempt] of [
    ["example.com", "example.com", true],
    ["example.com", "kms.example.com", true],
    ["example.com", "notexample.com", false],
    ["EXAMPLE.com", "Kms.Example.COM.", true],
    [".example.com", "kms.example.com", true],
    [".example.com", "example.com", false],
    ["*.example.com", "kms.example.com", true],
    ["*.example.com", "example.com", false],
    ["*", "anything.test", true],
    ["a.test, b.test c.test", "c.test", true],
    ["", "example.com", false],
    [",,", "example.com", false],
    ["example.com:443", "example.com", true],
    ["example.com:8443", "example.com", false],
    ["*:8443", "example.com", false],
    ["10.0.0.0/8", "10.1.2.3", true],
    ["10.0.0.0/8", "11.1.2.3", false],
    ["10.0.0.0/8", "ten.example.com", false],
    ["192.0.2.1", "192.0.2.1", true],
    ["192.0.2.1:443", "192.0.2.1", true],
    ["192.0.2.1:80", "192.0.2.1", false],
    ["192.0.2.1", "192.0.2.11", false],
    ["2001:db8::1", "2001:db8:0::1", true],
    ["[2001:db8::1]:443", "2001:db8::1", true],
    ["[2001:db8::1]:80", "2001:db8::1", false],
    ["2001:db8::/32", "2001:db8::1", true],
    ["10.0.0.0/99", "10.0.0.1", false],
  ] as const) {
    test(`"${text}" ${isExempt ? "exempts" : "does not exempt"} ${host}`, () => {
      assert.equal(parseNoProxy(text)(host, 443), isExempt);
    });
  }

  test("can be any text at all", () => {
    const pieces = fc.array(fc.constantFrom("*", ".", ":", "[", "]", "/", "a.test", "10.0.0.0", "::1", "8", ",", " "));
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          pieces.map((all) => all.join("")),
        ),
        fc.domain(),
        (text, host) => {
          assert.equal(typeof parseNoProxy(text)(host, 443), "boolean");
        },
      ),
      { numRuns: 2_000 },
    );
  });
});
