import type { CallerToken } from "../core/caller-token.ts";
import type { Secret } from "../core/secret.ts";

/** The only scope of tokens for Cloud KMS, wherever a credential lets us choose. */
export const CLOUD_KMS_SCOPE = "https://www.googleapis.com/auth/cloudkms";
/**
 * The scope of tokens that impersonate: `generateAccessToken` refuses those for Cloud KMS alone.
 * https://cloud.google.com/iam/docs/reference/credentials/rest/v1/projects.serviceAccounts/generateAccessToken
 */
export const IAM_SCOPE = "https://www.googleapis.com/auth/iam";

export type TokenScope = typeof CLOUD_KMS_SCOPE | typeof IAM_SCOPE;

/** An OAuth 2.0 access token of one principal. */
export interface Token {
  readonly accessToken: Secret;
  /** Wall clock, milliseconds since the Unix epoch. */
  readonly expiresAtMs: number;
  /** Who the token speaks for, as Google names it (an email address, a `principal://…`); unknown for opaque tokens. */
  readonly principal?: string;
  /** How it was come by, first step first: `subject token from file …`, `impersonated …`. Never holds a secret. */
  readonly steps: readonly string[];
}

/**
 * Supplies access tokens for one principal.
 *
 * May be called concurrently. Implementations fetch every time; wrap one in `createRefreshing` to hold its tokens.
 *
 * @throws KeyServiceError `credential_missing` where there is no credential to offer (a chain then asks the next),
 * `credential_rejected` where only an operator can mend it, `credential_unavailable` where trying again may help.
 */
export interface TokenSource {
  /** The name that config and errors use. */
  readonly name: string;
  fetchToken(signal: AbortSignal): Promise<Token>;
}

/** A token that the refresher holds, and which of its refreshes made it. */
export interface HeldToken extends Token {
  readonly generation: number;
}

/** What the way of a request sees: tokens that are valid now, and a way to say that one was refused. */
export interface TokenHolder {
  readonly name: string;
  /** @throws KeyServiceError as {@link TokenSource}, or the signal's own reason. */
  getToken(signal: AbortSignal): Promise<HeldToken>;
  /** Cloud KMS refused this generation: the next call gets a newer one. Older generations are ignored. */
  invalidate(generation: number): void;
  /**
   * Only where tokens depend on who calls: the holder for a caller, by the token that it brings. The same object for
   * the same token: calls may share work where they use the same object, and nowhere else.
   */
  readonly forCaller?: (token: CallerToken | undefined) => TokenHolder;
}
