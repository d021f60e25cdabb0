import type { RuleConfig } from "../../src/config/config.ts";

/** A rule for every key, to be changed where a test cares. */
export function fakeRule(changes: Partial<RuleConfig> = {}): RuleConfig {
  return {
    name: "everything",
    match: "projects/*/locations/*/keyRings/*/cryptoKeys/*",
    tokenSource: ["fake"],
    allow: undefined,
    deny: [],
    limits: { perCaller: undefined },
    approve: undefined,
    kms: {
      endpoint: "https://cloudkms.googleapis.com",
      quotaProject: undefined,
      transport: "rest",
      deadlineMs: 10_000,
      attemptTimeoutMs: 3_000,
      proxy: undefined,
      caFile: undefined,
      maxCalls: 256,
    },
    cache: undefined,
    ...changes,
  };
}
