import assert from "node:assert/strict";
import type { LookupFunction } from "node:net";
import { describe, test } from "node:test";
import { createJoinedLookup } from "../../../src/network/joined-lookup.ts";

type Callback = Parameters<LookupFunction>[2];

/** A lookup that answers when the test says so. */
function setUp() {
  const asked: { readonly hostname: string; readonly callback: Callback }[] = [];
  const lookup = createJoinedLookup((hostname, _, callback) => asked.push({ hostname, callback }));
  const answers: string[] = [];
  const ask = (hostname: string, all = false) =>
    lookup(hostname, { all }, (error, address) => answers.push(error?.code ?? String(address)));
  return { asked, answers, ask };
}

describe("a joined lookup", () => {
  test("asks once for all who want the same name at the same time", () => {
    const { asked, answers, ask } = setUp();
    for (let count = 0; count < 200; count += 1) ask("dead.test");
    ask("other.test");
    assert.deepEqual(
      asked.map(({ hostname }) => hostname),
      ["dead.test", "other.test"],
    );
    asked[0]?.callback(null, "192.0.2.1", 4);
    assert.deepEqual(answers, Array(200).fill("192.0.2.1"));
  });

  test("asks anew once it was answered, and remembers no failure", () => {
    const { asked, answers, ask } = setUp();
    ask("a.test");
    asked[0]?.callback(Object.assign(new Error("not found"), { code: "ENOTFOUND" }), "", 4);
    ask("a.test");
    asked[1]?.callback(null, "192.0.2.2", 4);
    assert.deepEqual(answers, ["ENOTFOUND", "192.0.2.2"]);
  });

  test("joins none who want it in another form", () => {
    const { asked, ask } = setUp();
    ask("a.test", false);
    ask("a.test", true);
    assert.equal(asked.length, 2);
  });
});
