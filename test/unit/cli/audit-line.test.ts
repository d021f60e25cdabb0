import assert from "node:assert/strict";
import { PassThrough } from "node:stream";
import { test } from "node:test";
import { renderRecord } from "../../../src/cli/audit-line.ts";

test("a record is shown in one printable line, whatever its names and values are", () => {
  const clear = "\u001b[2J";
  const fields = { time: clear, event: clear, caller: { names: [clear] }, key: clear, [clear]: clear, "a\nb": 1 };
  assert.equal(renderRecord(fields, new PassThrough()), "?[2J ?[2J ?[2J ?[2J ?[2J=?[2J a?b=1");
});
