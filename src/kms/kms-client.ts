import type { TokenHolder } from "../credentials/token.ts";
import type { CryptoKeyName } from "../routing/resource-name.ts";

/** What one call brings along: whose token to use, why, and until when. */
export interface KmsCall {
  readonly key: CryptoKeyName;
  readonly tokens: TokenHolder;
  /** For Google's audit log, by which it is matched with ours: one line of printable ASCII; undefined: none is sent. */
  readonly reason: string | undefined;
  /** Carries the call's deadline; its reason is a KeyServiceError. */
  readonly signal: AbortSignal;
}

/** What answered, where it was not a request of this call's own: another call's that was in flight, or the cache. */
export type ServedBy = "joined" | "cache";

export interface EncryptResult {
  /** As Cloud KMS made it; never empty. */
  readonly ciphertext: Buffer;
  /** Full name of the CryptoKeyVersion that encrypted. */
  readonly keyVersion: string;
  readonly principal?: string;
  readonly servedBy?: ServedBy;
}

export interface DecryptResult {
  /** Never empty; the caller wipes it. */
  readonly plaintext: Buffer;
  readonly principal?: string;
  readonly servedBy?: ServedBy;
}

/**
 * Cloud KMS, as far as SOPS needs it. Nothing is returned that was not verified: CRC32C both ways, and on encrypt
 * the name of the key that did it.
 *
 * @throws KeyServiceError any `kms_…` code, `key_not_found`, `payload_invalid`, `integrity_failed`, a credential
 * code from the token source, or the signal's reason.
 */
export interface KmsClient {
  encrypt(plaintext: Uint8Array, call: KmsCall): Promise<EncryptResult>;
  /** @param ciphertext raw bytes, not the base64 of the SOPS wire */
  decrypt(ciphertext: Uint8Array, call: KmsCall): Promise<DecryptResult>;
  /** Ends its connections; calls in flight fail. */
  close(): Promise<void>;
}
