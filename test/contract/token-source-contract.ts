import assert from "node:assert/strict";
import { test } from "node:test";
import { inspect } from "node:util";
import { type Clock, systemClock } from "../../src/core/clock.ts";
import { KeyServiceError } from "../../src/core/errors.ts";
import type { TokenHolder } from "../../src/credentials/token.ts";
import { createFakeClock, settle } from "../fakes/clock.ts";

/** A holder over one kind of source, and the means to trouble what stands behind it. */
export interface TokenSourceSubject extends AsyncDisposable {
  readonly holder: TokenHolder;
  /** Undefined where the kind cannot know it. */
  readonly principal: string | undefined;
  /** Must not be seen anywhere but in requests and in `reveal()`. */
  readonly secrets: readonly string[];
  /** What is behind it: undefined for kinds that ask nobody. */
  readonly upstream: TokenSourceUpstream | undefined;
}

export interface TokenSourceUpstream {
  /** Requests for tokens so far; those that a single fetch needs besides are not counted. */
  tokenRequests(): number;
  become(state: "well" | "down" | "closing" | "refusing" | "redirecting" | "babbling" | "flooding" | "hanging"): void;
  /** Resolves when the next request has come in. */
  nextRequest(): Promise<unknown>;
}

export type CreateSubject = (clock: Clock) => Promise<TokenSourceSubject>;

const never = new AbortController().signal;

/** What every token source promises, whatever its kind: call it with a way to make one. */
export function testTokenSource(kind: string, createSubject: CreateSubject): void {
  test(`${kind}: gives a token that says whose it is, how it came and when it ends`, async () => {
    await using subject = await createSubject(systemClock);
    const token = await subject.holder.getToken(never);
    assert.match(token.accessToken.reveal(), /^[\x21-\x7e]{10,}$/);
    assert.equal(token.principal, subject.principal);
    assert.ok(token.steps.length > 0);
    const lifeMs = token.expiresAtMs - Date.now();
    assert.ok(lifeMs > 10_000 && lifeMs <= 3_600_000, `${lifeMs} ms to live`);
    assertSecretFree([token, token.steps.join(), JSON.stringify(token), subject.holder], subject, [
      token.accessToken.reveal(),
    ]);
  });

  test(`${kind}: ten thousand cold callers cost one token`, async () => {
    await using subject = await createSubject(systemClock);
    const calls = Array.from({ length: 10_000 }, () => subject.holder.getToken(never));
    const tokens = new Set((await Promise.all(calls)).map((token) => token.accessToken.reveal()));
    assert.equal(tokens.size, 1);
    if (subject.upstream !== undefined) assert.equal(subject.upstream.tokenRequests(), 1);
  });

  test(`${kind}: a caller that gives up gets its own reason, the others their token`, async () => {
    await using subject = await createSubject(systemClock);
    const controller = new AbortController();
    const reason = new KeyServiceError("deadline_exceeded", { problem: "the caller's own deadline" });
    const [impatient, patient] = [subject.holder.getToken(controller.signal), subject.holder.getToken(never)];
    controller.abort(reason);
    await assert.rejects(impatient, (error) => error === reason);
    assert.ok((await patient).generation > 0);
  });

  test(`${kind}: a refused token is replaced`, async () => {
    await using subject = await createSubject(systemClock);
    const first = await subject.holder.getToken(never);
    subject.holder.invalidate(first.generation);
    const second = await subject.holder.getToken(never);
    assert.ok(second.generation > first.generation);
    if (subject.upstream !== undefined) assert.equal(subject.upstream.tokenRequests(), 2);
  });
}

const TROUBLE = [
  { state: "down", code: "credential_unavailable" },
  { state: "closing", code: "credential_unavailable" },
  { state: "babbling", code: "credential_unavailable" },
  { state: "flooding", code: "credential_unavailable" },
  { state: "refusing", code: "credential_rejected" },
  { state: "redirecting", code: "credential_rejected" },
] as const;

/** What those promise besides that ask an endpoint for their tokens. */
export function testTokenSourceUpstream(kind: string, createSubject: CreateSubject): void {
  for (const { state, code } of TROUBLE) {
    test(`${kind}: where its endpoint is ${state}, the error is ${code}, names the source and shows no secret`, async () => {
      await using subject = await createSubject(systemClock);
      assert.ok(subject.upstream !== undefined);
      subject.upstream.become(state);
      await assert.rejects(subject.holder.getToken(never), (error) => {
        assert.ok(error instanceof KeyServiceError, inspect(error));
        assert.equal(error.code, code, inspect(error));
        assert.match(error.message, new RegExp(`token source: ${subject.holder.name}`));
        assert.match(error.message, /\nto do: /);
        assertSecretFree([error, error.message, error.cause], subject, []);
        return true;
      });
      if (code === "credential_rejected") return;
      subject.upstream.become("well");
      assert.ok((await subject.holder.getToken(never)).generation > 1, "back in service");
    });
  }

  test(`${kind}: an endpoint that never answers is given up at the deadline, and asked anew`, async () => {
    const clock = createFakeClock({ startMs: Date.now() });
    await using subject = await createSubject(clock);
    assert.ok(subject.upstream !== undefined);
    subject.upstream.become("hanging");
    const arrival = subject.upstream.nextRequest();
    const call = subject.holder.getToken(never);
    const outcome = assert.rejects(
      call,
      (error) => error instanceof KeyServiceError && error.code.startsWith("credential_"),
    );
    await arrival;
    await clock.pass(10_000);
    await outcome;
    subject.upstream.become("well");
    clock.advance(5000);
    assert.ok((await subject.holder.getToken(never)).generation > 1);
    await settle();
    assert.equal(clock.pendingTimers, 0, "no timer is left behind");
  });
}

function assertSecretFree(shown: readonly unknown[], subject: TokenSourceSubject, more: readonly string[]): void {
  for (const value of shown) {
    const text = typeof value === "string" ? value : inspect(value, { depth: 20, showHidden: true });
    for (const secret of [...subject.secrets, ...more]) {
      assert.ok(!text.includes(secret), `a secret is shown: ${text.replaceAll(secret, "<SECRET>")}`);
    }
  }
}
