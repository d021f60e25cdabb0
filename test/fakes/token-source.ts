import { Secret } from "../../src/core/secret.ts";
import type { Token, TokenSource } from "../../src/credentials/token.ts";

/** One call of a {@link ScriptedSource}, answered when the test wants it: at once, late, or never. */
export interface PendingFetch {
  /** 1 for the first fetch. */
  readonly number: number;
  readonly signal: AbortSignal;
  succeed(token: Token): void;
  fail(error: unknown): void;
}

/** A source whose fetches the test answers; it pays no heed to its signal, as the worst of sources. */
export interface ScriptedSource extends TokenSource {
  /** Every fetch that was begun and is not answered yet, first begun first. */
  readonly pending: PendingFetch[];
  readonly fetches: number;
  /** The oldest one without an answer; throws where there is none. */
  next(): PendingFetch;
}

export function createScriptedSource(name = "scripted"): ScriptedSource {
  const pending: PendingFetch[] = [];
  let fetches = 0;
  return {
    name,
    pending,
    get fetches() {
      return fetches;
    },
    next() {
      const first = pending[0];
      if (first === undefined) throw new Error("no fetch is pending");
      return first;
    },
    fetchToken(signal) {
      fetches += 1;
      const { promise, resolve, reject } = Promise.withResolvers<Token>();
      const answered = () => pending.splice(pending.indexOf(fetch), 1);
      const fetch: PendingFetch = {
        number: fetches,
        signal,
        succeed(token) {
          answered();
          resolve(token);
        },
        fail(error) {
          answered();
          reject(error);
        },
      };
      pending.push(fetch);
      return promise;
    },
  };
}

/** A source that answers every fetch with what `answer` gives for it. */
export function createAnsweringSource(
  answer: (fetchNumber: number) => Token,
  name = "answering",
): TokenSource & { readonly fetches: number } {
  let fetches = 0;
  return {
    name,
    get fetches() {
      return fetches;
    },
    async fetchToken() {
      fetches += 1;
      return answer(fetches);
    },
  };
}

export function createToken(text: string, expiresAtMs: number): Token {
  return { accessToken: new Secret(text), expiresAtMs, principal: `${text}@example.com`, steps: ["scripted"] };
}
