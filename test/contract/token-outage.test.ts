import assert from "node:assert/strict";
import { test } from "node:test";
import type { FaultEffect } from "../../src/emulator/faults.ts";
import { grpcStatusOf } from "../../src/server/status.ts";
import { type OutageBench, openOutageBench } from "../fakes/token-outage.ts";

const SECOND_MS = 1000;
const HOUR_MS = 3_600_000;
const DEADLINE_EXCEEDED = 4;
const UNAVAILABLE = 14;
const EFFECTS: readonly FaultEffect[] = [
  { kind: "status", code: 503 },
  { kind: "reset" },
  { kind: "html" },
  { kind: "hang" },
];
/** The longest waits that jitter can draw. */
const WORST = 0.999;

function tokenRequests({ emulator }: OutageBench): number {
  return emulator.admin.requests().counts["metadata.token"] ?? 0;
}

/** No call may have reached Cloud KMS with a token that Google no longer takes. */
function assertNeverExpired({ emulator }: OutageBench): void {
  const refused = emulator.admin.requests().requests.filter(({ status }) => status === 401);
  assert.deepEqual(refused, []);
}

for (const effect of EFFECTS) {
  test(`token endpoint down (${effect.kind}) for the whole window: no call fails, then UNAVAILABLE with the cause, then back within 5 s`, async () => {
    await using bench = await openOutageBench(WORST);
    const { emulator, refreshes } = bench;
    assert.equal(await bench.call(), undefined);
    const until = (refreshes[0]?.expiresAtMs ?? 0) - 5 * SECOND_MS;
    await bench.pass(HOUR_MS - 240 * SECOND_MS);
    const fault = emulator.admin.addFault({ ...effect, endpoint: "metadata.token" });

    let calls = 0;
    while (bench.clock.nowMs() < until) {
      assert.equal(await bench.call(), undefined, "a call failed while the token was valid");
      calls += 1;
      await bench.pass(2 * SECOND_MS);
    }
    assert.ok(calls > 90, `${calls} calls`);
    assert.ok(refreshes.length > 10, `${refreshes.length} refreshes: retried through the whole window`);
    assert.ok(refreshes.slice(1).every(({ error }) => error !== undefined));

    await bench.pass(10 * SECOND_MS);
    const error = await bench.call();
    assert.ok(error !== undefined);
    // Whoever waits for an endpoint that hangs may come to the end of its own time first.
    const accepted = effect.kind === "hang" ? [UNAVAILABLE, DEADLINE_EXCEEDED] : [UNAVAILABLE];
    assert.ok(accepted.includes(grpcStatusOf(error.code)), error.message);
    assert.match(error.message, /metadata server|127\.0\.0\.1|waiting for a token/);
    assert.match(error.message, /token source: machine/);

    emulator.admin.clearFaults(fault);
    const upAgainMs = bench.clock.monotonicMs();
    while ((await bench.call()) !== undefined) await bench.pass(500);
    assert.ok(bench.clock.monotonicMs() - upAgainMs < 5 * SECOND_MS, "back within five seconds");
    assertNeverExpired(bench);
  });
}

const MOVES = {
  "our wall clock jumps forward by an hour": (bench: OutageBench) => bench.clock.jumpWall(HOUR_MS),
  "our wall clock jumps back by an hour": (bench: OutageBench) => bench.clock.jumpWall(-HOUR_MS),
  "the machine sleeps for two hours": (bench: OutageBench) => {
    bench.clock.suspend(2 * HOUR_MS);
    bench.googleClock.advance(2 * HOUR_MS);
  },
  "the machine sleeps for half an hour": (bench: OutageBench) => {
    bench.clock.suspend(HOUR_MS / 2);
    bench.googleClock.advance(HOUR_MS / 2);
  },
} as const;

for (const [what, move] of Object.entries(MOVES)) {
  test(`where ${what}, no call fails, no expired token is used, and the endpoint is not stormed`, async () => {
    await using bench = await openOutageBench(WORST);
    assert.equal(await bench.call(), undefined);
    move(bench);
    for (let minute = 0; minute < 130; minute += 1) {
      const errors = await Promise.all([bench.call(), bench.call()]);
      assert.deepEqual(errors, [undefined, undefined], `minute ${minute}`);
      await bench.pass(60 * SECOND_MS);
    }
    assertNeverExpired(bench);
    // Two hours need two or three tokens; the move may cost one more.
    assert.ok(tokenRequests(bench) <= 4, `${tokenRequests(bench)} token requests`);
  });
}
