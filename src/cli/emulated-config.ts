import type { Config, TokenSourceConfig } from "../config/config.ts";
import type { Emulator } from "../emulator/emulator.ts";

/**
 * The same rules, asked of an emulator. Every token source becomes the emulator's service account: a real credential
 * has no business there, and is not even read.
 */
export function withEmulator(config: Config, { url, files }: Pick<Emulator, "url" | "files">): Config {
  const emulated: TokenSourceConfig = {
    type: "service_account",
    credential: { kind: "file", path: files.serviceAccount },
    grant: "self_signed",
  };
  return {
    ...config,
    tokenSources: new Map([...config.tokenSources.keys()].map((name) => [name, emulated])),
    rules: config.rules.map((rule) => ({ ...rule, kms: { ...rule.kms, endpoint: url, quotaProject: undefined } })),
    google: {
      ...config.google,
      endpoints: { kms: url, oauth2: url, sts: url, iamCredentials: url, metadata: url },
      caFile: undefined,
    },
  };
}
