import type { Emulator } from "../../../src/emulator/emulator.ts";

/** A config as its file has it. JSON is YAML, so that it can be written as it is. */
export interface ConfigDocument {
  readonly version: 1;
  readonly listeners?: readonly object[];
  readonly tokenSources: Readonly<Record<string, object>>;
  readonly rules: readonly object[];
  readonly google?: object;
  readonly limits?: object;
}

export const ANY_KEY = "projects/*/locations/*/keyRings/*/cryptoKeys/*";
export const KEY = "projects/shop/locations/europe-west1/keyRings/sops/cryptoKeys/prod";
export const SECOND_KEY = "projects/shop/locations/global/keyRings/sops/cryptoKeys/second";

/** Every key with the emulator's service account, on one unix socket; `changes` replaces whole parts of it. */
export function configFor(emulator: Emulator, changes: Partial<ConfigDocument> = {}): ConfigDocument {
  const { url, files } = emulator;
  return {
    version: 1,
    tokenSources: { emulated: { type: "service_account", file: files.serviceAccount, grant: "oauth" } },
    rules: [{ name: "all", match: ANY_KEY, tokenSource: "emulated" }],
    google: { endpoints: { kms: url, oauth2: url, sts: url, iamCredentials: url, metadata: url } },
    ...changes,
  };
}
