import type { Operation } from "../config/config.ts";
import type { HeldToken } from "../credentials/token.ts";
import type { CryptoKeyName } from "../routing/resource-name.ts";
import type { AttemptFailure } from "./upstream-error.ts";

/** One question to Cloud KMS. */
export interface KmsRequest {
  readonly operation: Operation;
  readonly key: CryptoKeyName;
  /** The plaintext to encrypt or the ciphertext to decrypt: raw bytes, wiped by whoever made them. */
  readonly payload: Uint8Array;
  /** CRC32C of the payload, for Cloud KMS to verify. */
  readonly payloadCrc32c: number;
}

/** What one attempt brings along besides its question. */
export interface Attempt {
  readonly token: HeldToken;
  /** Whether it was got because the one before was refused. */
  readonly tokenIsFresh: boolean;
  /** Goes into Google's audit log. */
  readonly reason: string | undefined;
  /** Ends with the attempt's time limit or the call, whichever is first. */
  readonly signal: AbortSignal;
}

/** An answer as it came: decoded, with nothing of it verified. */
export interface KmsAnswer {
  /** The name in it: on encrypt, that of the key version that did it. */
  readonly name: string | undefined;
  /** The ciphertext that was made or the plaintext that was found; undefined where there is none. */
  readonly payload: Buffer | undefined;
  /** CRC32C that Cloud KMS says the payload has. */
  readonly payloadCrc32c: number | undefined;
  /** On encrypt: that Cloud KMS found our checksum to be right. */
  readonly confirmsRequest: boolean;
}

export type TransportOutcome =
  | { readonly ok: true; readonly answer: KmsAnswer }
  | ({ readonly ok: false } & AttemptFailure);

/** A way to Cloud KMS. It asks once: when to ask again, whom to believe and when to give up is decided above it. */
export interface KmsTransport {
  /** Its host, for messages. */
  readonly host: string;
  /** The proxy in between, for messages; undefined where there is none. */
  readonly proxyHost?: string | undefined;
  /** One request and its answer. Never rejects but with the signal's reason. */
  send(request: KmsRequest, attempt: Attempt): Promise<TransportOutcome>;
  /** Asked without a token: resolves if the endpoint answers and does not say that it is unavailable; rejects if not. */
  probe(signal: AbortSignal): Promise<void>;
  /** Ends its connections; what is in flight fails. */
  close(): Promise<void>;
}
