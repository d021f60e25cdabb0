import assert from "node:assert/strict";
import { test } from "node:test";
import {
  createVerifiedTokens,
  identifyToken,
  MAX_VERIFIED_TOKENS,
} from "../../../../src/access/jwt/verified-tokens.ts";
import type { VerifiedJwt } from "../../../../src/access/jwt/verifier.ts";
import { Secret } from "../../../../src/core/secret.ts";
import { createFakeClock } from "../../../fakes/clock.ts";

const always = () => true;

function setUp() {
  const clock = createFakeClock();
  const tokens = createVerifiedTokens(clock);
  const verified = (id: string, lifetimeMs = 60_000): VerifiedJwt => ({
    proof: { kind: "jwt", issuer: "https://issuer.example", subject: id, callers: ["ci"] },
    token: { text: new Secret(id), id, expiresAtMs: clock.nowMs() + lifetimeMs },
  });
  return { clock, tokens, verified };
}

test("tokens beyond the bound take the place of the one that was not asked for the longest", () => {
  const { tokens, verified } = setUp();
  for (let count = 0; count < MAX_VERIFIED_TOKENS; count++) tokens.add(`t${count}`, verified(`t${count}`), always);
  assert.equal(tokens.get("t0")?.proof.subject, "t0");
  tokens.add("one more", verified("one more"), always);
  assert.equal(tokens.get("t1"), undefined);
  assert.equal(tokens.get("t0")?.proof.subject, "t0");
  assert.equal(tokens.get("one more")?.proof.subject, "one more");
});

test("a token that has expired makes room for one that has not", () => {
  const { clock, tokens, verified } = setUp();
  tokens.add("long", verified("long", 120_000), always);
  for (let count = 1; count < MAX_VERIFIED_TOKENS; count++) tokens.add(`t${count}`, verified(`t${count}`), always);
  clock.advance(60_000);
  assert.equal(tokens.get("t1"), undefined);
  tokens.add("another", verified("another"), always);
  tokens.add("yet another", verified("yet another"), always);
  assert.equal(tokens.get("long")?.proof.subject, "long");
});

test("a token whose issuer has other keys now is not known any more, even when it had them back", () => {
  const { tokens, verified } = setUp();
  let current = true;
  tokens.add("a", verified("a"), () => current);
  assert.ok(tokens.get("a"));
  current = false;
  assert.equal(tokens.get("a"), undefined);
  current = true;
  assert.equal(tokens.get("a"), undefined);
});

test("a token's name gives nothing of it away, and every byte counts", () => {
  assert.match(identifyToken("token"), /^[\w-]{43}$/);
  assert.notEqual(identifyToken("token"), identifyToken("token "));
});
