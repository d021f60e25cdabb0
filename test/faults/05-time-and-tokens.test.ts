/** Clocks jump, machines sleep, and token endpoints fail. */
import assert from "node:assert/strict";
import type { FaultEffect } from "../../src/emulator/faults.ts";
import type { FaultBench } from "./harness/bench.ts";
import { testFaults } from "./harness/withstand.ts";

const HOUR_MS = 3_600_000;

function tokensAnswer(effect: FaultEffect): (bench: FaultBench) => void {
  return ({ emulator }) => void emulator.admin.addFault({ ...effect, endpoint: "oauth.token" });
}

/** A token of Google's for an assertion that this machine signs, with its time. */
const SIGNED = { type: "service_account", grant: "oauth" };

/** The call's own time is over first, where an attempt was made before. */
const WAITED_FOR_TOKEN = { status: "DEADLINE_EXCEEDED", says: /waiting for a token from machine/ } as const;

testFaults([
  {
    fault: "the clock jumps an hour ahead",
    promise: "calls are answered, with a fresh token",
    arrange: ({ clock }) => clock.jumpWall(HOUR_MS),
    expect: "served",
  },
  {
    fault: "the clock jumps an hour back",
    promise: "calls are answered",
    arrange: ({ clock }) => clock.jumpWall(-HOUR_MS),
    expect: "served",
  },
  {
    fault: "suspend: the machine sleeps for eight hours, and its connections are gone",
    promise: "the first call afterwards is answered",
    async arrange({ clock, googleClock, wire, calls }, transport) {
      await calls("encrypt", 20);
      assert.ok(wire.open >= (transport === "rest" ? 20 : 1), `${wire.open} connections`);
      clock.suspend(8 * HOUR_MS);
      googleClock.advance(8 * HOUR_MS);
      wire.forgetAll();
    },
    expect: "served",
  },
  {
    fault: "the clock of this machine is an hour ahead of Google's, and a token is wanted",
    promise: "the call says whose credential Google refuses, and to check the clock",
    sees: "FAILED_PRECONDITION: which credential; check the clock",
    arrange({ emulator, googleClock }) {
      googleClock.jumpWall(-HOUR_MS);
      emulator.admin.expireTokens();
    },
    mend: ({ googleClock }) => googleClock.jumpWall(HOUR_MS),
    sharesTokens: true,
    options: { source: SIGNED },
    expect: { status: "FAILED_PRECONDITION", says: /clock/ },
  },
  {
    fault: "the token endpoint is down, and no token is held",
    promise: "the call names the endpoint and what it said",
    sees: "UNAVAILABLE: which endpoint, and its status",
    arrange(bench) {
      tokensAnswer({ kind: "status", code: 503 })(bench);
      bench.emulator.admin.expireTokens();
    },
    sharesTokens: true,
    options: { source: SIGNED },
    expect: [WAITED_FOR_TOKEN, { status: "UNAVAILABLE", says: /gave no token \(HTTP 503.*to do: /s }],
  },
  {
    fault: "the token endpoint hangs, and no token is held",
    promise: "the call ends in time and says whom it waited for",
    sees: "UNAVAILABLE or DEADLINE_EXCEEDED: no token came, from which source",
    arrange(bench) {
      tokensAnswer({ kind: "hang" })(bench);
      bench.emulator.admin.expireTokens();
    },
    sharesTokens: true,
    options: { source: SIGNED },
    expect: [WAITED_FOR_TOKEN, { status: "UNAVAILABLE", says: /no token came within 10 seconds.*to do: /s }],
  },
  {
    fault: "the token endpoint is down, and a token is held",
    promise: "calls are answered",
    arrange: tokensAnswer({ kind: "status", code: 503 }),
    options: { source: SIGNED },
    expect: "served",
  },
  {
    fault: "the token endpoint hangs, and a token is held",
    promise: "calls are answered",
    arrange: tokensAnswer({ kind: "hang" }),
    options: { source: SIGNED },
    expect: "served",
  },
]);
