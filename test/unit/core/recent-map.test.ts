import assert from "node:assert/strict";
import { test } from "node:test";
import { RecentMap } from "../../../src/core/recent-map.ts";

test("a recent map forgets the key that was not set for longest", () => {
  const map = new RecentMap<string, number>(2);
  map.set("a", 1).set("b", 2).set("a", 3).set("c", 4);
  assert.deepEqual(
    [...map],
    [
      ["a", 3],
      ["c", 4],
    ],
  );
});

test("a recent map that is full replaces a key's value without forgetting another", () => {
  const map = new RecentMap<string, number>(2);
  map.set("a", 1).set("b", 2).set("b", 3);
  assert.deepEqual([...map.keys()], ["a", "b"]);
  assert.equal(map.get("b"), 3);
});
