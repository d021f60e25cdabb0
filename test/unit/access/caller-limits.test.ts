import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type Caller, callerAt } from "../../../src/access/caller.ts";
import { createCallerLimits, type LimitedRule } from "../../../src/access/caller-limits.ts";
import { createCallerUsage } from "../../../src/access/caller-usage.ts";
import type { CallerLimitConfig, CallerLimitsConfig } from "../../../src/config/config.ts";
import { NO_CALLER_LIMITS } from "../../../src/config/defaults.ts";
import { KeyServiceError } from "../../../src/core/errors.ts";
import { createFakeClock } from "../../fakes/clock.ts";

const RULE: LimitedRule = { name: "r", limits: { perCaller: undefined } };
const teamA = callerAt("unix:///a.sock", "team-a");
const teamB = callerAt("unix:///b.sock", "team-b");
const nameless = callerAt("unix:///c.sock", undefined);

function limit(changes: Partial<CallerLimitConfig>): CallerLimitConfig {
  return { callsPerSecond: undefined, burst: 1, callsAtOnce: undefined, ...changes };
}

function setUp(config: Partial<CallerLimitsConfig>, maxCounted?: number) {
  const clock = createFakeClock();
  const usage = createCallerUsage(clock, maxCounted);
  const limits = createCallerLimits({ ...NO_CALLER_LIMITS, ...config }, usage);
  return { clock, usage, limits, enter: (caller: Caller, rule = RULE) => limits.enter(caller, rule) };
}

function messageOf(enter: () => unknown): string {
  try {
    enter();
  } catch (thrown) {
    assert.ok(thrown instanceof KeyServiceError);
    assert.equal(thrown.code, "caller_limit_exceeded");
    return thrown.message;
  }
  return assert.fail("it was let in");
}

describe("the limits of callers", () => {
  test("let everybody in where none are set", () => {
    const { enter } = setUp({});
    for (let call = 0; call < 10_000; call++) enter(teamA);
  });

  test("refuse the call beyond the rate, and say which limit and when to come back", () => {
    const { enter, clock } = setUp({ perCaller: limit({ callsPerSecond: 2, burst: 3 }) });
    for (let call = 0; call < 3; call++) enter(teamA);
    clock.advance(199);
    assert.equal(
      messageOf(() => enter(teamA)),
      [
        "caller team-a: 2 calls a second are the limit (callsPerSecond in limits.perCaller), and used up",
        "to do: try again in 0.4 s; if that is too few, raise it in the config of sops-keyd",
      ].join("\n"),
    );
    clock.advance(301);
    enter(teamA);
    messageOf(() => enter(teamA));
  });

  test("refuse the call beyond those at once, until one of them has ended", () => {
    const { enter } = setUp({ perCaller: limit({ callsAtOnce: 2 }) });
    const first = enter(teamA);
    enter(teamA);
    const expected = /^caller team-a: 2 calls at once are the limit \(callsAtOnce in limits.perCaller\), and so many/;
    assert.match(
      messageOf(() => enter(teamA)),
      expected,
    );
    first[Symbol.dispose]();
    enter(teamA);
    messageOf(() => enter(teamA));
  });

  test("count each caller by itself, and a call that was refused not at all", () => {
    const { enter, clock } = setUp({ perCaller: limit({ callsPerSecond: 1 }) });
    enter(teamA);
    for (let call = 0; call < 10; call++) messageOf(() => enter(teamA));
    enter(teamB);
    enter(nameless);
    clock.advance(1_000);
    enter(teamA);
  });

  test("are a caller's own where it has some", () => {
    const callers = new Map([["team-b", limit({ callsPerSecond: 1, burst: 2 })]]);
    const { enter } = setUp({ perCaller: limit({ callsPerSecond: 1 }), callers });
    enter(teamA);
    messageOf(() => enter(teamA));
    enter(teamB);
    enter(teamB);
    assert.match(
      messageOf(() => enter(teamB)),
      /callsPerSecond in limits\.callers\.team-b/,
    );
  });

  test("hold for each of the names that a caller has", () => {
    const { enter } = setUp({ perCaller: limit({ callsPerSecond: 1 }) });
    const both = { ...teamA, names: ["team-a", "team-b"] };
    enter(teamB);
    assert.match(
      messageOf(() => enter(both)),
      /^caller team-b: /,
    );
    enter(teamA);
  });

  test("count callers without a name by the listener and the user that they come from", () => {
    const { enter } = setUp({ perCaller: limit({ callsPerSecond: 1 }) });
    const peer = (uid: number): Caller => ({
      ...nameless,
      proofs: [...nameless.proofs, { kind: "unix_peer", uid, gid: 1, pid: 1 }],
    });
    enter(nameless);
    enter(callerAt("unix:///d.sock", undefined));
    enter(peer(1000));
    enter(peer(1001));
    assert.match(
      messageOf(() => enter(nameless)),
      /^callers without a name at unix:\/\/\/c\.sock: /,
    );
    assert.match(
      messageOf(() => enter(peer(1000))),
      /^callers without a name of uid 1000 at unix/,
    );
  });

  test("of a rule hold besides the general ones, for that rule's calls alone", () => {
    const { enter, clock } = setUp({ perCaller: limit({ callsPerSecond: 2, burst: 2 }) });
    const narrow: LimitedRule = { name: "prod", limits: { perCaller: limit({ callsPerSecond: 1 }) } };
    enter(teamA, narrow);
    assert.match(
      messageOf(() => enter(teamA, narrow)),
      /callsPerSecond in limits\.perCaller of rule prod\), and used up/,
    );
    enter(teamA);
    assert.match(
      messageOf(() => enter(teamA)),
      /callsPerSecond in limits\.perCaller\)/,
    );
    clock.advance(500);
    enter(teamA);
  });

  test("go on counting under the next config", () => {
    const { enter, usage, clock } = setUp({ perCaller: limit({ callsPerSecond: 1, burst: 5 }) });
    for (let call = 0; call < 5; call++) enter(teamA);
    const next = createCallerLimits(
      { perCaller: limit({ callsPerSecond: 1, callsAtOnce: 5 }), callers: new Map() },
      usage,
    );
    assert.match(
      messageOf(() => next.enter(teamA, RULE)),
      /calls at once/,
    );
    const faster = createCallerLimits(
      { perCaller: limit({ callsPerSecond: 10, burst: 1 }), callers: new Map() },
      usage,
    );
    messageOf(() => faster.enter(teamA, RULE));
    clock.advance(5_000);
    faster.enter(teamA, RULE);
  });
});

describe("the table of callers", () => {
  const at = (index: number) => callerAt(`unix:///${index}.sock`, undefined);

  test("forgets who has nothing to be remembered for, the oldest first", () => {
    const { enter, clock } = setUp({ perCaller: limit({ callsPerSecond: 1 }) }, 2);
    enter(at(1))[Symbol.dispose]();
    clock.advance(1_000);
    enter(at(2));
    enter(at(3));
    messageOf(() => enter(at(2)));
    messageOf(() => enter(at(3)));
  });

  test("counts the newcomers together where all that it holds are in use", () => {
    const { enter } = setUp({ perCaller: limit({ callsPerSecond: 1 }) }, 2);
    for (const index of [1, 2, 3]) enter(at(index));
    messageOf(() => enter(at(4)));
    messageOf(() => enter(at(1)));
  });

  test("holds no more than its bound, whoever comes", () => {
    const { enter, clock, usage } = setUp({ perCaller: limit({ callsPerSecond: 1, burst: 1_000_000 }) }, 10);
    for (let index = 0; index < 10_000; index++) {
      enter(at(index))[Symbol.dispose]();
      clock.advance(1);
    }
    // One more: what the newcomers share.
    assert.equal(usage.size, 11);
  });
});
