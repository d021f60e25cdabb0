import { createHash } from "node:crypto";
import type { Config, LimitsConfig } from "./config.ts";
import {
  DEFAULT_ATTEMPT_TIMEOUT_MS,
  DEFAULT_DEADLINE_MS,
  DEFAULT_LIMITS,
  DEFAULT_RULE_CALLS,
  DEFAULT_UNIVERSE_DOMAIN,
  NO_CALLER_LIMITS,
} from "./defaults.ts";
import { DOMAIN_PATTERN, parseEndpoint } from "./endpoint.ts";
import type { Environment } from "./environment.ts";
import { deepFreeze } from "./freeze.ts";
import { fileError } from "./issue.ts";
import { resolveEndpoints } from "./resolve.ts";

const DEFAULT_NAME = "default";
const EVERY_KEY = "projects/*/locations/*/keyRings/*/cryptoKeys/*";

/**
 * What `serve` runs on without a config: a stand-in for `sops keyservice`, with the credentials and the Cloud KMS
 * that sops itself would take. It has no listeners; the command line gives them.
 *
 * @throws ConfigError where a variable that sops knows has a value that cannot be used
 */
export function createDefaultConfig(environment: Environment): Config {
  const universeDomain = readUniverse(environment);
  const endpoints = resolveEndpoints(universeDomain, { kms: readEndpoint(environment) });
  const limits: LimitsConfig = { ...DEFAULT_LIMITS };
  return deepFreeze({
    path: undefined,
    hash: createHash("sha256").update(`default ${endpoints.kms}`).digest("hex"),
    listeners: [],
    callers: new Map(),
    tokenSources: new Map([[DEFAULT_NAME, { type: "default" }]]),
    rules: [
      {
        name: DEFAULT_NAME,
        match: EVERY_KEY,
        tokenSource: [DEFAULT_NAME],
        allow: undefined,
        deny: [],
        limits: { perCaller: undefined },
        approve: undefined,
        kms: {
          endpoint: endpoints.kms,
          quotaProject: undefined,
          transport: "rest",
          deadlineMs: DEFAULT_DEADLINE_MS,
          attemptTimeoutMs: DEFAULT_ATTEMPT_TIMEOUT_MS,
          proxy: undefined,
          caFile: undefined,
          maxCalls: DEFAULT_RULE_CALLS,
        },
        cache: undefined,
      },
    ],
    deny: [],
    google: { universeDomain, endpoints, caFile: undefined },
    limits,
    callerLimits: NO_CALLER_LIMITS,
    audit: undefined,
    stateDirectory: undefined,
  });
}

// sops hands this to Google's Go library, which takes a bare `host:port` as well as a URL.
function readEndpoint(environment: Environment): string | undefined {
  const text = environment.get("SOPS_GCP_KMS_ENDPOINT");
  if (text === undefined) return undefined;
  const endpoint = parseEndpoint(/^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `https://${text}`);
  if (typeof endpoint === "string") throw fileError("SOPS_GCP_KMS_ENDPOINT", endpoint);
  return endpoint.url;
}

function readUniverse(environment: Environment): string {
  const text = environment.get("SOPS_GCP_KMS_UNIVERSE_DOMAIN") ?? DEFAULT_UNIVERSE_DOMAIN;
  if (DOMAIN_PATTERN.test(text)) return text;
  throw fileError("SOPS_GCP_KMS_UNIVERSE_DOMAIN", `expected a domain such as ${DEFAULT_UNIVERSE_DOMAIN}`);
}
