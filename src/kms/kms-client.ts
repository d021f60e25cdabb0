import type { TokenHolder } from "../credentials/token.ts";
import type { CryptoKeyName } from "../routing/resource-name.ts";

/** What one call brings along: whose token to use and until when. */
export interface KmsCall {
  readonly key: CryptoKeyName;
  readonly tokens: TokenHolder;
  /** Carries the call's deadline; its reason is a KeyServiceError. */
  readonly signal: AbortSignal;
}

export interface EncryptResult {
  /** Standard base64, as Cloud KMS' JSON and the SOPS wire both have it. */
  readonly ciphertext: string;
  /** Full name of the CryptoKeyVersion that encrypted. */
  readonly keyVersion: string;
  readonly principal?: string;
}

export interface DecryptResult {
  /** The caller wipes it. */
  readonly plaintext: Buffer;
  readonly principal?: string;
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
  /** @param ciphertext standard base64 */
  decrypt(ciphertext: string, call: KmsCall): Promise<DecryptResult>;
  /** Ends its connections; calls in flight fail. */
  close(): Promise<void>;
}
