import assert from "node:assert/strict";
import { test } from "node:test";
import type { CallerToken } from "../../../src/core/caller-token.ts";
import { Secret } from "../../../src/core/secret.ts";
import { createPerCaller, createTokenless, MAX_CALLERS } from "../../../src/credentials/per-caller.ts";
import { createFakeClock } from "../../fakes/clock.ts";
import { createFakeTokenHolder } from "../../fakes/token-holder.ts";
import { getError } from "../../fakes/token-set-up.ts";

function setUp() {
  const clock = createFakeClock();
  const made: string[] = [];
  const holder = createPerCaller({
    clock,
    withoutToken: createTokenless("federated"),
    create(token) {
      made.push(token.id);
      return createFakeTokenHolder(token.id);
    },
  });
  const bring = (id: string, lifetimeMs = 600_000): CallerToken => ({
    id,
    text: new Secret(`text of ${id}`),
    expiresAtMs: clock.nowMs() + lifetimeMs,
  });
  return { clock, made, holder, bring };
}

test("one token has one holder, and another token another", () => {
  const { holder, bring, made } = setUp();
  const first = holder.forCaller(bring("a"));
  assert.equal(holder.forCaller(bring("a")), first);
  assert.notEqual(holder.forCaller(bring("b")), first);
  assert.deepEqual(made, ["a", "b"]);
});

test("a call without a token is told what to do, in a way that a chain passes over", async () => {
  const { holder } = setUp();
  assert.equal(holder.forCaller(undefined), holder.forCaller(undefined));
  for (const each of [holder, holder.forCaller(undefined)]) {
    const error = await getError(each);
    assert.equal(error.code, "credential_missing");
    assert.match(error.message, /exchanges the caller's own token, and the call brings none/);
    assert.match(error.message, /to do: send a JWT along, as sops-keyd connect does/);
  }
});

test("callers beyond the bound take the place of the one that was not heard of the longest", () => {
  const { holder, bring, made } = setUp();
  for (let count = 0; count < MAX_CALLERS; count++) holder.forCaller(bring(`caller-${count}`));
  holder.forCaller(bring("caller-0"));
  holder.forCaller(bring("one more"));
  made.length = 0;
  holder.forCaller(bring("caller-0"));
  holder.forCaller(bring("caller-2"));
  assert.deepEqual(made, []);
  holder.forCaller(bring("caller-1"));
  assert.deepEqual(made, ["caller-1"]);
});

test("what an expired token was exchanged for is forgotten within a minute, and no timer stays", () => {
  const { clock, holder, bring, made } = setUp();
  const short = bring("short", 30_000);
  holder.forCaller(short);
  const long = bring("long", 150_000);
  holder.forCaller(long);
  clock.advance(60_000);
  holder.forCaller(long);
  assert.deepEqual(made, ["short", "long"]);
  holder.forCaller(short);
  assert.deepEqual(made, ["short", "long", "short"]);
  clock.advance(180_000);
  assert.equal(clock.pendingTimers, 0);
  holder.forCaller(long);
  assert.deepEqual(made, ["short", "long", "short", "long"]);
});

test("a reload forgets every caller", () => {
  const { clock, holder, bring, made } = setUp();
  holder.forCaller(bring("a"));
  holder.clear();
  assert.equal(clock.pendingTimers, 0);
  holder.forCaller(bring("a"));
  assert.deepEqual(made, ["a", "a"]);
});
