import type { GoogleConfig } from "../../src/config/config.ts";

/** Google's own endpoints, as the config's defaults have them. */
export const GOOGLE: GoogleConfig = {
  universeDomain: "googleapis.com",
  endpoints: {
    kms: "https://cloudkms.googleapis.com",
    oauth2: "https://oauth2.googleapis.com",
    sts: "https://sts.googleapis.com",
    iamCredentials: "https://iamcredentials.googleapis.com",
    metadata: undefined,
  },
  caFile: undefined,
};

/** As `google.endpoints` and `google.universeDomain` in a config change it. */
export function configureGoogle(
  endpoints: Partial<GoogleConfig["endpoints"]>,
  universeDomain: string = GOOGLE.universeDomain,
): GoogleConfig {
  return { ...GOOGLE, universeDomain, endpoints: { ...GOOGLE.endpoints, ...endpoints } };
}
