import assert from "node:assert/strict";
import { test } from "node:test";
import { type ErrorCode, KeyServiceError } from "../../../src/core/errors.ts";
import { createRetrying } from "../../../src/credentials/retrying.ts";
import { createFakeClock } from "../../fakes/clock.ts";
import { createAnsweringSource, createToken } from "../../fakes/token-source.ts";

const never = new AbortController().signal;

/** A source that fails with these codes, one after the other, and then gives tokens. */
function setUp(...failures: readonly ErrorCode[]) {
  const clock = createFakeClock();
  const source = createAnsweringSource((number) => {
    const code = failures[number - 1];
    if (code !== undefined) throw new KeyServiceError(code, { problem: `failure ${number}` });
    return createToken(`t${number}`, clock.nowMs() + 3_600_000);
  });
  return { clock, source, retrying: createRetrying(source, { clock, random: () => 0.999 }) };
}

test("an outage of a moment is not seen by the caller", async () => {
  const { clock, source, retrying } = setUp("credential_unavailable", "credential_unavailable");
  const call = retrying.fetchToken(never);
  await clock.pass(249);
  assert.equal(source.fetches, 1);
  await clock.pass(1);
  assert.equal(source.fetches, 2);
  await clock.pass(1000);
  assert.equal((await call).accessToken.reveal(), "t3");
});

test("the third failure is told", async () => {
  const { clock, source, retrying } = setUp(...Array<ErrorCode>(5).fill("credential_unavailable"));
  const told = assert.rejects(retrying.fetchToken(never), /failure 3/);
  await clock.pass(10_000);
  await told;
  assert.equal(source.fetches, 3);
});

for (const code of ["credential_rejected", "credential_missing", "internal"] as const) {
  test(`${code} is told at once: trying again mends nothing`, async () => {
    const { source, retrying } = setUp(code);
    await assert.rejects(retrying.fetchToken(never), /failure 1/);
    assert.equal(source.fetches, 1);
  });
}

test("waiting for the next attempt ends with the signal, and leaves no timer", async () => {
  const { clock, source, retrying } = setUp("credential_unavailable");
  const controller = new AbortController();
  const told = assert.rejects(retrying.fetchToken(controller.signal), /cancelled by its caller/);
  await clock.pass(0);
  controller.abort();
  await told;
  assert.equal(source.fetches, 1);
  assert.equal(clock.pendingTimers, 0);
});
