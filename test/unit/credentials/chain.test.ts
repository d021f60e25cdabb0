import assert from "node:assert/strict";
import { test } from "node:test";
import { type ErrorCode, KeyServiceError } from "../../../src/core/errors.ts";
import { createChain } from "../../../src/credentials/chain.ts";
import { createRefreshing } from "../../../src/credentials/refreshing.ts";
import type { Token } from "../../../src/credentials/token.ts";
import { createFakeClock } from "../../fakes/clock.ts";
import { createAnsweringSource, createToken } from "../../fakes/token-source.ts";

const HOUR_MS = 3_600_000;
const never = new AbortController().signal;

/** A chain over members that give a token, or fail with the code that stands in their place. */
function setUp(members: Record<string, "token" | ErrorCode>) {
  const clock = createFakeClock();
  const sources = Object.keys(members).map((name) =>
    createAnsweringSource((number): Token => {
      const behaviour = members[name];
      if (behaviour === "token" || behaviour === undefined) {
        return createToken(`${name}${number}`, clock.nowMs() + HOUR_MS);
      }
      throw new KeyServiceError(behaviour, { problem: `${name} is ${behaviour}` });
    }, name),
  );
  const holders = sources.map((source) => createRefreshing(source, { clock, random: () => 0.5 }));
  return { clock, members, sources, chain: createChain("chain", holders) };
}

test("the first that has a credential is used, and no other is asked", async () => {
  const { chain, sources } = setUp({ a: "token", b: "token" });
  assert.equal((await chain.getToken(never)).accessToken.reveal(), "a1");
  assert.equal(sources[1]?.fetches, 0);
});

test("a member without a credential is passed over, and the token says so", async () => {
  const { chain } = setUp({ a: "credential_missing", b: "credential_missing", c: "token" });
  const token = await chain.getToken(never);
  assert.equal(token.accessToken.reveal(), "c1");
  assert.deepEqual(token.steps, [
    "passed over a: a is credential_missing",
    "passed over b: b is credential_missing",
    "scripted",
  ]);
});

for (const code of ["credential_rejected", "credential_unavailable", "internal"] as const) {
  test(`a member that fails with ${code} ends the chain: another identity is no cure`, async () => {
    const { chain, sources } = setUp({ a: "credential_missing", b: code, c: "token" });
    await assert.rejects(chain.getToken(never), (error) => {
      assert.ok(error instanceof KeyServiceError);
      assert.equal(error.code, code);
      assert.match(error.message, /token source: b/);
      return true;
    });
    assert.equal(sources[2]?.fetches, 0);
  });
}

test("the error that ends a chain tells what was passed over before, and why", async () => {
  const { chain } = setUp({ a: "credential_missing", b: "credential_rejected", c: "token" });
  await assert.rejects(chain.getToken(never), (error) => {
    assert.ok(error instanceof KeyServiceError);
    assert.match(error.message, /^b is credential_rejected \(passed over a: a is credential_missing\)\n/);
    return true;
  });
});

test("where all are missing, the error tells in order what was tried", async () => {
  const { chain } = setUp({ a: "credential_missing", b: "credential_missing" });
  await assert.rejects(chain.getToken(never), (error) => {
    assert.ok(error instanceof KeyServiceError);
    assert.equal(error.code, "credential_missing");
    assert.match(error.message, /\(a: a is credential_missing; b: b is credential_missing\)/);
    assert.match(error.message, /token source: chain/);
    return true;
  });
});

test("a refused token is refused to the member that gave it, and to no other", async () => {
  const { chain, clock, members, sources } = setUp({ a: "token", b: "token", c: "token" });
  const fromA = await chain.getToken(never);
  members["a"] = "credential_missing";
  clock.advance(HOUR_MS);
  const fromB = await chain.getToken(never);
  assert.equal(fromB.accessToken.reveal(), "b1");
  assert.notEqual(fromA.generation, fromB.generation);
  chain.invalidate(fromA.generation);
  assert.equal((await chain.getToken(never)).accessToken.reveal(), "b1");
  chain.invalidate(fromB.generation);
  const replaced = await chain.getToken(never);
  assert.equal(replaced.accessToken.reveal(), "b2");
  assert.deepEqual(
    sources.map((source) => source.fetches),
    [2, 2, 0],
  );
});

test("a caller's own abort ends the chain with its reason", async () => {
  const { chain } = setUp({ a: "credential_missing", b: "token" });
  await assert.rejects(chain.getToken(AbortSignal.abort()), /cancelled by its caller/);
});

test("a chain of nothing is refused when it is made", () => {
  assert.throws(() => createChain("empty", []), RangeError);
});
