import type { Emulator } from "../../../src/emulator/emulator.ts";

/** A config as its file has it. JSON is YAML, so that it can be written as it is. */
export interface ConfigDocument {
  readonly version: 1;
  readonly listeners?: readonly object[];
  readonly callers?: Readonly<Record<string, object>>;
  readonly tokenSources: Readonly<Record<string, object>>;
  readonly rules: readonly object[];
  readonly google?: object;
  readonly limits?: object;
  readonly audit?: object;
}

export const SHOP_KEYS = "projects/shop/locations/*/keyRings/*/cryptoKeys/*";
export const KEY = "projects/shop/locations/europe-west1/keyRings/sops/cryptoKeys/prod";
export const SECOND_KEY = "projects/shop/locations/global/keyRings/sops/cryptoKeys/second";

/** The shop's keys with the emulator's service account; `changes` replaces whole parts of it. */
export function configFor(emulator: Emulator, changes: Partial<ConfigDocument> = {}): ConfigDocument {
  const { url, files } = emulator;
  return {
    version: 1,
    tokenSources: { shop: { type: "service_account", file: files.serviceAccount, grant: "oauth" } },
    rules: [{ name: "shop", match: SHOP_KEYS, tokenSource: "shop" }],
    google: { endpoints: { kms: url, oauth2: url, sts: url, iamCredentials: url, metadata: url } },
    ...changes,
  };
}
