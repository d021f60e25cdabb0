import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { inspect } from "node:util";
import fc from "fast-check";
import { KeyServiceError, toKeyServiceError, toPrintableLine } from "../../../src/core/errors.ts";
import { Secret } from "../../../src/core/secret.ts";

describe("a KeyServiceError", () => {
  test("says what happened, to which key, by which way, and what to do", () => {
    const error = new KeyServiceError("kms_throttled", { problem: "too many", remedy: "wait", principal: "robot" });
    assert.equal(
      error.within({ rule: "r", key: "k", source: "s" }).message,
      "too many\nkey: k\nrule: r, token source: s, as: robot\nto do: wait",
    );
  });

  test("keeps what it says of itself when more context comes", () => {
    const error = new KeyServiceError("kms_throttled", { problem: "x", source: "inner" });
    assert.equal(error.within({ source: "outer" }).detail.source, "inner");
  });

  test("lets no text from outside forge a line", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        const { message } = new KeyServiceError("internal", { problem: "x", key: text });
        assert.equal(message.split(/[\n\r\u2028\u2029]/).length, 2);
        assert.doesNotMatch(toPrintableLine(text), /[\p{Cc}\p{Cf}]/u);
      }),
    );
  });

  test("made of something unforeseen shows nothing of it", () => {
    const error = toKeyServiceError(new Error("CANARY"));
    assert.equal(error.code, "internal");
    assert.doesNotMatch(error.message, /CANARY/);
  });
});

test("a Secret shows itself only when it is asked to reveal", () => {
  const secret = new Secret("CANARY");
  for (const shown of [
    `${secret}`,
    JSON.stringify({ secret }),
    inspect(secret),
    inspect({ secret }, { showHidden: true }),
  ]) {
    assert.doesNotMatch(shown, /CANARY/);
  }
  assert.equal(secret.reveal(), "CANARY");
});
