export type VersionState = "ENABLED" | "DISABLED" | "DESTROY_SCHEDULED" | "DESTROYED";

export interface KeyVersion {
  readonly number: number;
  readonly createTimeMs: number;
  state: VersionState;
  /** When it is due to be destroyed, or was. */
  destroyTimeMs: number | undefined;
  /** Says in a ciphertext which version made it; stays when the key bytes are gone, so that the refusal can say why. */
  readonly reference: string;
  /** 32 bytes; gone once destroyed. */
  keyBytes: Buffer | undefined;
}

export interface CryptoKey {
  readonly name: string;
  readonly createTimeMs: number;
  readonly labels: Readonly<Record<string, string>>;
  /** Number of the version that encrypts. */
  primary: number | undefined;
  /** Version n is at n - 1: Google numbers them from 1 and never removes one. */
  readonly versions: KeyVersion[];
}

export interface KeyRing {
  readonly name: string;
  readonly createTimeMs: number;
}

/** All that Cloud KMS would remember. Plain data, so that it can be kept in a file as it is. */
export interface KeyState {
  readonly rings: Map<string, KeyRing>;
  readonly keys: Map<string, CryptoKey>;
}

export function createKeyState(): KeyState {
  return { rings: new Map(), keys: new Map() };
}

export function versionName(key: CryptoKey, version: KeyVersion): string {
  return `${key.name}/cryptoKeyVersions/${version.number}`;
}

/** `projects/P/locations/L/keyRings/R` of a key's name. */
export function ringNameOf(keyName: string): string {
  return keyName.split("/").slice(0, 6).join("/");
}
