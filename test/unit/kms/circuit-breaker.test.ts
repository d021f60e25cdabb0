import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { KeyServiceError } from "../../../src/core/errors.ts";
import { type CircuitEvent, createCircuitBreaker } from "../../../src/kms/circuit-breaker.ts";
import { createFakeClock } from "../../fakes/clock.ts";

const HOST = "cloudkms.googleapis.com";

/** A breaker whose probes end as the test says; until then they wait. */
function setUp() {
  const clock = createFakeClock();
  const events: CircuitEvent[] = [];
  const probes: { resolve(): void; reject(error: Error): void; readonly signal: AbortSignal }[] = [];
  const breaker = createCircuitBreaker({
    host: HOST,
    probe(signal) {
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      probes.push({ resolve, reject, signal });
      return promise;
    },
    clock,
    random: () => 1,
    report: (event) => events.push(event),
  });
  const fail = (times: number, why = "503") => {
    for (let count = 0; count < times; count += 1) breaker.enter().endpointIsIll(why);
  };
  const probe = () => {
    const newest = probes.at(-1);
    assert.ok(newest !== undefined);
    return newest;
  };
  /** Opens it and lets its first probe be answered. */
  const halfOpen = async () => {
    fail(5);
    clock.advance(500);
    probe().resolve();
    await clock.pass(0);
  };
  return { clock, events, probes, breaker, fail, probe, halfOpen };
}

function isRefused(words: RegExp) {
  return (thrown: unknown) => {
    assert.ok(thrown instanceof KeyServiceError);
    assert.equal(thrown.code, "kms_unavailable");
    assert.match(thrown.message, words);
    return true;
  };
}

describe("a closed circuit", () => {
  test("lets calls through while fewer than five attempts in a row fail", () => {
    const { breaker, fail } = setUp();
    fail(4);
    breaker.enter().endpointIsWell();
    fail(4);
    breaker.refuseWhileOpen();
    breaker.enter().abandoned();
  });

  test("takes connections that broke at the same time for one failure", () => {
    const { breaker, clock, events } = setUp();
    const startedAtMs = clock.monotonicMs();
    clock.advance(10);
    for (let count = 0; count < 32; count += 1) breaker.enter().connectionBroke("ECONNRESET", startedAtMs);
    breaker.refuseWhileOpen();
    for (let count = 0; count < 4; count += 1) {
      clock.advance(10);
      breaker.enter().connectionBroke("ECONNRESET", clock.monotonicMs() - 5);
    }
    assert.deepEqual(
      events.map(({ kind }) => kind),
      ["circuit_opened"],
    );
  });

  test("has nothing against an endpoint that attempts were abandoned at", () => {
    const { breaker, probes, clock } = setUp();
    for (let count = 0; count < 100; count += 1) breaker.enter().abandoned();
    breaker.enter();
    clock.advance(60_000);
    assert.equal(probes.length, 0);
  });
});

describe("an open circuit", () => {
  test("refuses at once and says since when and why", () => {
    const { breaker, fail, events, clock } = setUp();
    fail(4);
    clock.advance(3_000);
    fail(1, "Cloud KMS answered 503 UNAVAILABLE");
    const words = /out of service since 2026-01-01T00:00:03Z: Cloud KMS answered 503 UNAVAILABLE\nto do: try again/;
    assert.throws(() => breaker.refuseWhileOpen(), isRefused(words));
    assert.throws(() => breaker.enter(), isRefused(words));
    assert.deepEqual(events, [{ kind: "circuit_opened", host: HOST, why: "Cloud KMS answered 503 UNAVAILABLE" }]);
  });

  test("probes on its own, gives a probe two seconds and tries again within three", async () => {
    const { fail, probes, clock } = setUp();
    fail(5);
    const atMs: number[] = [];
    const startMs = clock.monotonicMs();
    for (let ms = 0; ms < 20_000; ms += 100) {
      const before = probes.length;
      await clock.pass(100);
      if (probes.length > before) atMs.push(clock.monotonicMs() - startMs);
    }
    // The first after 0.5 s; then the 2 s that the probe before hung, and 1, 2, 3, 3 … s.
    assert.deepEqual(atMs, [500, 3_500, 7_500, 12_500, 17_500]);
    assert.ok(probes.every(({ signal }) => signal.aborted));
  });

  test("lets one call ahead once a probe was answered, and closes when that call was", async () => {
    const { breaker, halfOpen, events, clock } = setUp();
    await halfOpen();
    const trial = breaker.enter();
    assert.throws(() => breaker.refuseWhileOpen(), isRefused(/out of service since/));
    assert.throws(() => breaker.enter(), isRefused(/out of service since/));
    clock.advance(700);
    trial.endpointIsWell();
    breaker.enter().endpointIsWell();
    breaker.enter().endpointIsWell();
    assert.deepEqual(events.at(-1), { kind: "circuit_closed", host: HOST, openForMs: 1_200 });
  });

  for (const [how, end] of [
    ["was refused", "endpointIsIll"],
    ["lost its connection", "connectionBroke"],
  ] as const) {
    test(`opens again when the call that went ahead ${how}, with the same since and why`, async () => {
      const { breaker, halfOpen, events, probes, clock } = setUp();
      await halfOpen();
      breaker.enter()[end]("something else", 0);
      assert.throws(() => breaker.enter(), isRefused(/since 2026-01-01T00:00:00Z: 503/));
      clock.advance(1_000);
      assert.equal(probes.length, 2);
      assert.equal(events.length, 1);
    });
  }

  test("lets the next call ahead when the one before gave up", async () => {
    const { breaker, halfOpen, events } = setUp();
    await halfOpen();
    breaker.enter().abandoned();
    breaker.refuseWhileOpen();
    breaker.enter().endpointIsWell();
    assert.equal(events.at(-1)?.kind, "circuit_closed");
  });

  test("hears nothing more from attempts that began before it opened, also once it has closed", async () => {
    const { breaker, halfOpen, events } = setUp();
    const early = Array.from({ length: 50 }, () => breaker.enter());
    await halfOpen();
    breaker.enter().endpointIsWell();
    for (const permit of early) permit.endpointIsIll("timed out");
    breaker.enter().endpointIsWell();
    assert.deepEqual(
      events.map(({ kind }) => kind),
      ["circuit_opened", "circuit_closed"],
    );
  });

  test("needs five failures again after it has closed", async () => {
    const { breaker, halfOpen, fail } = setUp();
    await halfOpen();
    breaker.enter().endpointIsWell();
    fail(4);
    breaker.refuseWhileOpen();
  });
});

describe("close", () => {
  test("ends the probing: no timer is left", () => {
    const { breaker, fail, probes, clock } = setUp();
    fail(5);
    breaker.close();
    assert.equal(clock.pendingTimers, 0);
    clock.advance(60_000);
    assert.equal(probes.length, 0);
  });

  test("ends a probe that is under way, and starts no other", async () => {
    const { breaker, fail, probe, probes, clock } = setUp();
    fail(5);
    clock.advance(500);
    breaker.close();
    assert.equal(probe().signal.aborted, true);
    await clock.pass(60_000);
    assert.equal(clock.pendingTimers, 0);
    assert.equal(probes.length, 1);
  });
});
