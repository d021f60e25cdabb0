import type { ClaimValue, JwtAlgorithm, JwtCallerConfig } from "./jwt-caller.ts";

/** A caller as it stands in the file; exactly one of these. A new way to prove an identity is a new key here. */
export interface CallerShape {
  readonly unix?: UnixPeerShape | undefined;
  readonly spiffe?: string | undefined;
  readonly dns?: string | undefined;
  readonly publicKey?: string | undefined;
  readonly jwt?: JwtShape | undefined;
}

export interface JwtShape {
  readonly issuer: string;
  readonly audience: string;
  readonly claims: Readonly<Record<string, ClaimValue | readonly ClaimValue[]>>;
  readonly algorithms?: readonly JwtAlgorithm[] | undefined;
  readonly keys?: string | undefined;
  readonly caFile?: string | undefined;
  readonly tokenFile?: string | undefined;
  /** Milliseconds. */
  readonly maxAge?: number | undefined;
}

/** Names or numbers; at least one. */
export interface UnixPeerShape {
  readonly uid?: string | number | undefined;
  readonly gid?: string | number | undefined;
}

/** What proves that somebody is a caller of the config, for the program. */
export type CallerConfig =
  | UnixPeerCallerConfig
  | SpiffeCallerConfig
  | DnsCallerConfig
  | PublicKeyCallerConfig
  | JwtCallerConfig;

/** A process at the other end of a unix socket. What is undefined may be anything; one of the two is not. */
export interface UnixPeerCallerConfig {
  readonly kind: "unix";
  /** A number, or a name to look up where the server starts. */
  readonly uid: number | string | undefined;
  /** The process's effective group, not those it is a member of besides. */
  readonly gid: number | string | undefined;
}

/** A client certificate with this SPIFFE id as its only URI. */
export interface SpiffeCallerConfig {
  readonly kind: "spiffe";
  readonly spiffeId: string;
}

/** A client certificate with this name, in lower case, among its DNS names. */
export interface DnsCallerConfig {
  readonly kind: "dns";
  readonly name: string;
}

/** A client certificate for this key. */
export interface PublicKeyCallerConfig {
  readonly kind: "public_key";
  /** SHA-256 of its SubjectPublicKeyInfo, base64. */
  readonly publicKeySha256: string;
}

/** How a public key is pinned, as curl's `--pinnedpubkey` and HPKP have it. */
export const PIN_PREFIX = "sha256//";
