import assert from "node:assert/strict";
import { KeyServiceError } from "../../../src/core/errors.ts";
import { createRefreshing } from "../../../src/credentials/refreshing.ts";
import type { HeldToken, TokenHolder } from "../../../src/credentials/token.ts";
import { createFakeClock, type FakeClock, settle } from "../../fakes/clock.ts";
import { createScriptedSource, createToken, type PendingFetch, type ScriptedSource } from "../../fakes/token-source.ts";

/** One step of a schedule. Indexes are taken modulo what there is, so that every schedule can run. */
export type Step =
  | { readonly kind: "call"; readonly callers: number }
  | { readonly kind: "abort"; readonly index: number }
  | { readonly kind: "succeed"; readonly index: number; readonly lifeMs: number }
  | { readonly kind: "fail"; readonly index: number; readonly code: "credential_unavailable" | "credential_rejected" }
  | { readonly kind: "advance" | "jumpWall" | "suspend"; readonly ms: number }
  | { readonly kind: "invalidate"; readonly offset: number }
  | { readonly kind: "settle" };

/** What the specification says is held, worked out from what the source was made to answer. */
interface Expected {
  readonly generation: number;
  readonly text: string;
  readonly lifeMs: number;
  readonly wallEndMs: number;
  readonly monotonicEndMs: number;
  readonly isDoubted: boolean;
}

interface Call {
  readonly controller: AbortController;
  readonly reason: KeyServiceError;
  settled: boolean;
}

const SECOND_MS = 1000;
const HOUR_MS = 3_600_000;

/** The system under test beside a model of it; every method does one step to both and compares them. */
export class RefreshingModel {
  readonly clock: FakeClock = createFakeClock();
  readonly source: ScriptedSource = createScriptedSource();
  readonly holder: TokenHolder;
  private readonly begun = new Map<number, { wallMs: number; monotonicMs: number }>();
  private readonly calls: Call[] = [];
  private expected: Expected | undefined;
  private failure: { readonly atMs: number; readonly minimumMs: number; readonly maximumMs: number } | undefined;
  private lastRefusalMs = Number.NEGATIVE_INFINITY;
  private lastServed = 0;

  constructor(random: () => number) {
    this.holder = createRefreshing(this.source, { clock: this.clock, random });
  }

  async run(step: Step): Promise<void> {
    switch (step.kind) {
      case "call":
        for (let caller = 0; caller < step.callers; caller += 1) this.call();
        break;
      case "abort":
        return this.abort(step.index);
      case "succeed":
        return this.succeed(step.index, step.lifeMs);
      case "fail":
        return this.fail(step.index, step.code);
      case "invalidate":
        this.invalidate(this.lastServed + step.offset);
        break;
      case "settle":
        return settle();
      case "advance":
      case "jumpWall":
      case "suspend":
        return this.moveClock(step.kind, step.ms);
    }
  }

  /** However bad it was: once the source answers again, callers are served within five seconds. */
  async end(): Promise<void> {
    await this.clock.pass(10 * SECOND_MS);
    this.noteDeadlines();
    assert.ok(
      this.calls.every((call) => call.settled),
      "a call is left without an answer",
    );
    assert.equal(this.clock.pendingTimers, 0, "a timer is left behind");
    this.clock.advance(5 * SECOND_MS);
    this.lastServed = 0;
    this.call();
    await settle();
    const fetch = this.running()[0];
    if (fetch !== undefined) await this.succeed(this.source.pending.indexOf(fetch), HOUR_MS);
    await settle();
    assert.ok(this.lastServed > 0, "not back in service five seconds after the end of an outage");
  }

  private leftMs(token: Expected): number {
    return Math.min(token.wallEndMs - this.clock.nowMs(), token.monotonicEndMs - this.clock.monotonicMs());
  }

  private running(): PendingFetch[] {
    return this.source.pending.filter((fetch) => !fetch.signal.aborted);
  }

  private call(): void {
    const held = this.expected;
    const heldIsValid = held !== undefined && this.leftMs(held) >= 5 * SECOND_MS;
    const wasRunning = this.running().length > 0;
    const fetchesBefore = this.source.fetches;
    const reason = new KeyServiceError("deadline_exceeded", { problem: "this caller's own deadline" });
    const call: Call = { controller: new AbortController(), reason, settled: false };
    this.calls.push(call);
    const outcome = this.holder.getToken(call.controller.signal);
    outcome
      .then(
        (token) => {
          call.settled = true;
          // What was held and valid at the time of the call is served, whatever came meanwhile.
          this.checkServed(token, heldIsValid ? held : this.expected);
        },
        (error: unknown) => {
          call.settled = true;
          assert.ok(!heldIsValid, `a call failed while a valid token was held: ${error}`);
          if (call.controller.signal.aborted && error === reason) return;
          assert.ok(error instanceof KeyServiceError && error.code.startsWith("credential_"), `${error}`);
        },
      )
      .catch((error: unknown) => {
        this.broken ??= error;
      });
    if (this.source.fetches > fetchesBefore) this.checkBegun();
    else if (!wasRunning) this.checkNotBegun();
  }

  /** The first assertion that failed in a reaction of a promise. */
  broken: unknown;

  private checkServed(token: HeldToken, expected: Expected | undefined): void {
    assert.ok(expected !== undefined, "a token was served where none is held");
    assert.equal(token.accessToken.reveal(), expected.text, "not the newest token");
    assert.equal(token.generation, expected.generation);
    assert.ok(token.generation >= this.lastServed, "generations went backwards");
    this.lastServed = token.generation;
  }

  private checkBegun(): void {
    assert.equal(this.running().length, 1, "two refreshes at a time");
    this.begun.set(this.source.fetches, { wallMs: this.clock.nowMs(), monotonicMs: this.clock.monotonicMs() });
    if (this.expected !== undefined && !this.expected.isDoubted) {
      const leadMs = 5 * SECOND_MS + Math.min(220 * SECOND_MS, (this.expected.lifeMs - 5 * SECOND_MS) / 4);
      assert.ok(this.leftMs(this.expected) <= leadMs, "a fresh token was refreshed");
    }
    if (this.failure !== undefined) {
      const sinceMs = this.clock.monotonicMs() - this.failure.atMs;
      assert.ok(sinceMs >= this.failure.minimumMs, `the source was asked again ${sinceMs} ms after it refused`);
    }
  }

  private checkNotBegun(): void {
    const sinceFailureMs = this.clock.monotonicMs() - (this.failure?.atMs ?? Number.NEGATIVE_INFINITY);
    if (this.expected === undefined || this.leftMs(this.expected) < 5 * SECOND_MS) {
      assert.ok(sinceFailureMs < (this.failure?.maximumMs ?? 0), "nothing to serve, and no refresh was begun");
      return;
    }
    const windowMs = Math.min(220 * SECOND_MS, (this.expected.lifeMs - 5 * SECOND_MS) / 4);
    const isLate = this.leftMs(this.expected) <= 5 * SECOND_MS + windowMs / 2;
    assert.ok(!isLate || sinceFailureMs < 15 * SECOND_MS, "no refresh was begun in the window");
  }

  private async abort(index: number): Promise<void> {
    const waiting = this.calls.filter((call) => !call.settled);
    const call = waiting[index % Math.max(1, waiting.length)];
    if (call === undefined) return;
    call.controller.abort(call.reason);
    await settle();
    assert.ok(call.settled, "a caller waited longer than its signal");
  }

  private async succeed(index: number, lifeMs: number): Promise<void> {
    const fetch = this.source.pending[index % Math.max(1, this.source.pending.length)];
    if (fetch === undefined) return;
    const begun = this.begun.get(fetch.number);
    assert.ok(begun !== undefined);
    const isLate = fetch.signal.aborted;
    const [wallMs, monotonicMs] = [this.clock.nowMs(), this.clock.monotonicMs()];
    const doubtMs = Math.abs(wallMs - begun.wallMs - (monotonicMs - begun.monotonicMs));
    const leftMs = lifeMs - doubtMs;
    const text = `token-of-fetch-${fetch.number}`;
    if (!isLate && leftMs >= 10 * SECOND_MS && leftMs <= 13 * HOUR_MS) {
      const ends = { wallEndMs: wallMs + leftMs, monotonicEndMs: monotonicMs + leftMs };
      this.expected = { generation: fetch.number, text, lifeMs: leftMs, isDoubted: false, ...ends };
      this.failure = undefined;
    } else if (!isLate) {
      this.noteFailure(leftMs < 10 * SECOND_MS ? "credential_unavailable" : "credential_rejected");
    }
    fetch.succeed(createToken(text, wallMs + lifeMs));
    await settle();
  }

  private async fail(index: number, code: "credential_unavailable" | "credential_rejected"): Promise<void> {
    const fetch = this.source.pending[index % Math.max(1, this.source.pending.length)];
    if (fetch === undefined) return;
    if (!fetch.signal.aborted) this.noteFailure(code);
    fetch.fail(new KeyServiceError(code, { problem: `fetch ${fetch.number} failed` }));
    await settle();
  }

  private noteFailure(code: "credential_unavailable" | "credential_rejected"): void {
    const [minimumMs, maximumMs] = code === "credential_rejected" ? [2500, 5000] : [0, 2000];
    this.failure = { atMs: this.clock.monotonicMs(), minimumMs, maximumMs };
  }

  private invalidate(generation: number): void {
    this.holder.invalidate(generation);
    if (this.expected?.generation !== generation || this.expected.isDoubted) return;
    const nowMs = this.clock.monotonicMs();
    const isDoubted = nowMs - this.lastRefusalMs < 5 * SECOND_MS;
    this.lastRefusalMs = nowMs;
    this.expected = isDoubted ? { ...this.expected, isDoubted } : undefined;
    if (isDoubted) this.noteFailure("credential_rejected");
  }

  private async moveClock(kind: "advance" | "jumpWall" | "suspend", ms: number): Promise<void> {
    if (kind === "advance") {
      await this.clock.pass(ms);
      this.noteDeadlines();
    } else {
      this.clock[kind](ms);
    }
    assert.ok(this.clock.pendingTimers <= 1, "timers pile up");
  }

  /** Refreshes that ran into their deadline failed ten seconds after they began, whether or not the source heeds it. */
  private noteDeadlines(): void {
    for (const fetch of this.source.pending) {
      const begun = this.begun.get(fetch.number);
      if (begun === undefined) continue;
      const runningMs = this.clock.monotonicMs() - begun.monotonicMs;
      assert.equal(fetch.signal.aborted, runningMs >= 10 * SECOND_MS, "a refresh has a deadline of ten seconds");
      const atMs = begun.monotonicMs + 10 * SECOND_MS;
      if (fetch.signal.aborted && fetch.number === this.source.fetches && (this.failure?.atMs ?? 0) < atMs) {
        this.failure = { atMs, minimumMs: 0, maximumMs: 2000 };
      }
    }
  }
}
