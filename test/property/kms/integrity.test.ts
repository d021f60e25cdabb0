import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { runIntegrity } from "./integrity-run.ts";

/** How many operations are run; `npm run test:long` runs ten million. */
const OPERATIONS = Number(process.env["OPERATIONS"] ?? 50_000);
/** To run again what failed: the seed that the failure printed. Without it every run draws its own. */
const SEED = Number(process.env["SEED"] ?? Math.floor(Math.random() * 2 ** 31));

describe("over a way that damages requests and answers", () => {
  test("no wrong plaintext is handed out, and all damage that changes a meaning is noticed", async (t) => {
    const report = await runIntegrity(SEED, OPERATIONS).catch((thrown: unknown) => {
      t.diagnostic(`seed ${SEED}`);
      throw thrown;
    });
    const { operations, answered, discarded, passages } = report;
    t.diagnostic(`seed ${SEED}, ${operations} operations, ${answered} answered, ${discarded} discarded`);
    for (const [kind, count] of passages) t.diagnostic(`${kind}: ${count}`);
    for (const [code, count] of report.refused) t.diagnostic(`refused with ${code}: ${count}`);
    assert.ok(answered > operations / 5 && discarded > operations / 10);
    assert.ok(passages.size >= 17, "every kind of damage has its turn");
  });
});
