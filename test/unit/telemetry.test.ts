import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { callerAt } from "../../src/access/caller.ts";
import { describeCause } from "../../src/core/describe-cause.ts";
import { KeyServiceError } from "../../src/core/errors.ts";
import { Secret } from "../../src/core/secret.ts";
import type { CallRecord } from "../../src/telemetry/call-record.ts";
import { type Log, type LogFields, logCall } from "../../src/telemetry/log.ts";

const CALL: CallRecord = {
  requestId: "id",
  operation: "decrypt",
  key: "projects/p\n{}",
  caller: callerAt("unix:///x", "team-a"),
  outcome: "ok",
  latencyMs: 12.345,
};

function createListLog() {
  const lines: { readonly level: string; readonly message: string; readonly fields: LogFields }[] = [];
  const write =
    (level: string) =>
    (message: string, fields: LogFields = {}) => {
      lines.push({ level, message, fields });
    };
  const log: Log = { error: write("error"), warn: write("warn"), info: write("info"), debug: write("debug") };
  return { log, lines };
}

describe("the line of a call", () => {
  test("says who did what to which key, on one line", () => {
    const { log, lines } = createListLog();
    logCall(log, { ...CALL, rule: "r", source: "s", principal: "p" });
    const [line] = lines;
    assert.equal(line?.level, "info");
    assert.equal(line.message, "decrypted");
    assert.equal(line.fields["key"], "projects/p?{}");
    assert.equal(line.fields["caller"], "team-a");
    assert.equal(line.fields["latencyMs"], 12.3);
  });

  test("takes rule, source and principal of a failed call from its error", () => {
    const { log, lines } = createListLog();
    const error = new KeyServiceError("kms_throttled", { problem: "too many", rule: "r", source: "s", principal: "p" });
    logCall(log, { ...CALL, outcome: error.code, error });
    const { level, fields } = lines[0] ?? assert.fail();
    assert.equal(level, "warn");
    assert.deepEqual([fields["rule"], fields["source"], fields["principal"]], ["r", "s", "p"]);
    assert.deepEqual([fields["outcome"], fields["problem"]], ["kms_throttled", "too many"]);
  });
});

describe("the description of a cause", () => {
  test("never repeats its message, which may quote a credential", () => {
    const foreign = Object.assign(new SyntaxError('Unexpected token, "CANARY" is not JSON'), { code: "ECANARYFREE" });
    const cause = new Error("CANARY", { cause: foreign });
    const described = describeCause(new KeyServiceError("internal", { problem: "x", cause }));
    assert.doesNotMatch(described, /CANARY"|CANARY /);
    assert.match(described, /^internal < Error .* < SyntaxError\(ECANARYFREE\)/);
  });

  test("ends with a chain that goes round in a circle", () => {
    const cause = new Error("x");
    cause.cause = cause;
    assert.equal(describeCause(cause).split(" < ").length, 5);
  });

  test("of something that is no error is empty", () => {
    assert.equal(describeCause(new Secret("CANARY")), "");
  });
});
