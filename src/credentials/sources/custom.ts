import type { Clock } from "../../core/clock.ts";
import { type ErrorCode, type ErrorDetail, KeyServiceError } from "../../core/errors.ts";
import { isJsonObject } from "../../core/json.ts";
import { Secret } from "../../core/secret.ts";
import type { SourceContext } from "../source-context.ts";
import type { Token, TokenScope, TokenSource } from "../token.ts";

/** What a token source that is not ours is told. */
export interface TokenSourceContext {
  /** The name that the config gave it. */
  readonly name: string;
  /** What its tokens are for: ask for no other scope. */
  readonly scope: TokenScope;
  readonly clock: Clock;
  /** For what an operator should know and no call fails of. Never a secret. */
  readonly warn: (message: string) => void;
  /**
   * An error to throw, so that a module need not import anything. Its text is shown to whoever runs sops: what
   * happened, and what to do; never a secret.
   */
  createError(code: CredentialErrorCode, detail: Pick<ErrorDetail, "problem" | "remedy" | "cause">): Error;
}

export type CredentialErrorCode = Extract<ErrorCode, `credential_${string}`>;

export function createTokenSourceContext(
  name: string,
  context: Pick<SourceContext, "scope" | "clock" | "warn">,
): TokenSourceContext {
  const { scope, clock, warn } = context;
  return {
    name,
    scope,
    clock,
    warn,
    createError: (code, detail) => new KeyServiceError(code, detail),
  };
}

/** What a module exports under this name in lower case, or an embedding program hands over. */
export type CreateTokenSource = (
  options: Readonly<Record<string, unknown>>,
  context: TokenSourceContext,
) => CustomTokenSource | Promise<CustomTokenSource>;

/** A {@link TokenSource} that may be written without importing anything of ours. */
export interface CustomTokenSource {
  fetchToken(signal: AbortSignal): Promise<CustomToken>;
}

/** A {@link Token} whose text may be plain, and which need not say how it was come by. */
export interface CustomToken {
  readonly accessToken: Secret | string;
  /** Wall clock, milliseconds since the Unix epoch. */
  readonly expiresAtMs: number;
  readonly principal?: string | undefined;
  readonly steps?: readonly string[] | undefined;
}

const CREDENTIAL_CODES: readonly CredentialErrorCode[] = [
  "credential_missing",
  "credential_rejected",
  "credential_unavailable",
];

/**
 * A source that keeps to the contract of {@link TokenSource} whatever the one inside does: answers are checked field
 * by field, and what it throws becomes an error that shows nothing but its own KeyServiceErrors.
 *
 * @param title what errors call it: `module my-source.ts`
 * @throws KeyServiceError `credential_rejected` where `custom` is no token source
 */
export function createCheckedSource(name: string, title: string, custom: unknown): TokenSource {
  if (!isJsonObject(custom) || typeof custom["fetchToken"] !== "function") {
    throw new KeyServiceError("credential_rejected", {
      source: name,
      problem: `${title} made no token source: it has no method fetchToken`,
      remedy: "return an object with fetchToken(signal) from createTokenSource",
    });
  }
  const source = custom as unknown as CustomTokenSource;
  return {
    name,
    async fetchToken(signal) {
      return readToken(await ask(source, name, title, signal), name, title);
    },
  };
}

async function ask(source: CustomTokenSource, name: string, title: string, signal: AbortSignal): Promise<unknown> {
  try {
    return await source.fetchToken(signal);
  } catch (thrown) {
    throw toCustomError(thrown, name, title, signal);
  }
}

function toCustomError(thrown: unknown, source: string, title: string, signal: AbortSignal): KeyServiceError {
  if (thrown instanceof KeyServiceError) return thrown.within({ source });
  const code = thrown instanceof Error && "code" in thrown ? thrown.code : undefined;
  return new KeyServiceError(isCredentialCode(code) ? code : "credential_unavailable", {
    source,
    problem: `${title} ${signal.aborted ? "gave up" : "failed"} (${describe(thrown)})`,
    remedy: "look into the module; it can say what happened by throwing a KeyServiceError",
    cause: thrown,
  });
}

/** Another copy of this package has another KeyServiceError; its code means the same. */
function isCredentialCode(code: unknown): code is CredentialErrorCode {
  return CREDENTIAL_CODES.some((each) => each === code);
}

function describe(thrown: unknown): string {
  if (!(thrown instanceof Error)) return "it threw no Error";
  return /^[A-Za-z]{1,60}$/.test(thrown.name) ? thrown.name : "Error";
}

function readToken(answer: unknown, source: string, title: string): Token {
  const fault = (what: string) =>
    new KeyServiceError("credential_rejected", {
      source,
      problem: `${title} answered with a token that cannot be used: ${what}`,
      remedy: "let fetchToken resolve to { accessToken, expiresAtMs, principal, steps }",
    });
  if (!isJsonObject(answer)) throw fault("it is no object");
  const text = readText(answer["accessToken"]);
  if (text === undefined) throw fault("accessToken is neither text nor a Secret");
  // Anything else could not stand in an HTTP header.
  if (!/^[\x21-\x7e]{1,16384}$/.test(text)) throw fault("accessToken holds what cannot be in a token");
  const { expiresAtMs, principal, steps = [] } = answer;
  if (typeof expiresAtMs !== "number") throw fault("expiresAtMs is not a number");
  if (principal !== undefined && typeof principal !== "string") throw fault("principal is not text");
  if (!isTexts(steps)) throw fault("steps is not a list of texts");
  return {
    accessToken: new Secret(text),
    expiresAtMs,
    ...(principal === undefined ? {} : { principal }),
    steps: [title, ...steps],
  };
}

/** A Secret, also one of another copy of this package. */
function readText(value: unknown): string | undefined {
  if (typeof value === "string") return value;
  const revealed: unknown =
    isJsonObject(value) && typeof value["reveal"] === "function" ? value["reveal"]() : undefined;
  return typeof revealed === "string" ? revealed : undefined;
}

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.length <= 20 && value.every((each) => typeof each === "string");
}
