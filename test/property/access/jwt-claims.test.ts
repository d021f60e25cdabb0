import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { compileClaims, findMisfit, showClaim } from "../../../src/access/jwt/claims.ts";

const letters = fc.string({ unit: fc.constantFrom("a", "b", "/", ".", "*"), maxLength: 8 });
const scalar = fc.oneof(letters, fc.integer(), fc.boolean());
const anyClaim = fc.oneof(scalar, fc.array(scalar, { maxLength: 4 }), fc.constantFrom(null, 1.5, 2 ** 60, {}, [[]]));

/** What the documentation says, by the plainest means. */
function fitsPlainly(values: readonly unknown[], claim: unknown): boolean {
  const members = Array.isArray(claim) ? claim : [claim];
  return members.some((member) => {
    const isText = typeof member === "string" || typeof member === "boolean" || Number.isSafeInteger(member);
    return isText && values.some((value) => toPattern(String(value)).test(String(member)));
  });
}

function toPattern(value: string): RegExp {
  return new RegExp(
    `^${value
      .split("*")
      .map((piece) => piece.replace(/[.*/-]/g, "\\$&"))
      .join("[^]*")}$`,
  );
}

test("a claim fits where one of its members is like one of the values, and not otherwise", () => {
  fc.assert(
    fc.property(fc.array(scalar, { minLength: 1, maxLength: 3 }), anyClaim, (values, claim) => {
      const tests = compileClaims(new Map([["c", values]]));
      assert.equal(findMisfit(tests, { c: claim }) === undefined, fitsPlainly(values, claim));
    }),
    { numRuns: 5_000 },
  );
});

test("every claim that is named must fit, and what every object has is no claim", () => {
  const tests = compileClaims(new Map([["toString", ["*"]]]));
  assert.equal(findMisfit(tests, {}), "toString");
  fc.assert(
    fc.property(fc.dictionary(fc.string(), letters, { minKeys: 1, maxKeys: 5 }), fc.nat(), (claims, at) => {
      const all = compileClaims(new Map(Object.entries(claims).map(([name, value]) => [name, [value]])));
      assert.equal(findMisfit(all, claims), undefined);
      const names = Object.keys(claims);
      const left = names[at % names.length] ?? "";
      const { [left]: _, ...others } = claims;
      assert.equal(findMisfit(all, others), left);
    }),
  );
});

test("a star takes linear time, however the text is made", () => {
  const tests = compileClaims(new Map([["c", [`${"a*".repeat(200)}b`]]]));
  assert.equal(findMisfit(tests, { c: "a".repeat(100_000) }), "c");
});

test("a claim that is shown is short, whatever it is", () => {
  fc.assert(
    fc.property(fc.oneof(fc.jsonValue(), fc.string({ minLength: 100 })), (claim) => {
      assert.ok(showClaim(claim).length < 300);
    }),
  );
});
