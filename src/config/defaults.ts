import type { CallerLimitsConfig } from "./policy.ts";

/** The largest config file that is read: one of this size would name thousands of rules. */
export const MAX_DOCUMENT_BYTES = 1_048_576;

/** What holds where the config says nothing; times in milliseconds. The schema shows these as its defaults. */
export const DEFAULT_LIMITS = {
  maxConnections: 1024,
  maxStreamsPerConnection: 128,
  maxCalls: 1024,
  // A data key is 33 bytes at most; Cloud KMS takes 64 KiB, which is 88 KiB in base64.
  maxMessageBytes: 131_072,
  handshakeMs: 10_000,
  connectionIdleMs: 900_000,
  connectionAgeMs: 43_200_000,
  drainMs: 10_000,
} as const;

/** A rule's `approve.timeout`: a person has to see the question, and sops has no deadline that would be passed. */
export const DEFAULT_APPROVE_TIMEOUT_MS = 30_000;

/** Nobody is limited. */
export const NO_CALLER_LIMITS: CallerLimitsConfig = { perCaller: undefined, callers: new Map() };

/** A rule's `kms.deadline`: sops itself has none and would wait for ever. */
export const DEFAULT_DEADLINE_MS = 10_000;
/** A rule's `kms.attemptTimeout`, or its deadline where that is shorter: leaves room for a second try. */
export const DEFAULT_ATTEMPT_TIMEOUT_MS = 3000;

/** A rule's `cache`. */
export const DEFAULT_CACHE_TTL_MS = 60_000;
/** Longer than this a config must accept in words: for so long a permission that was taken away still serves. */
export const MAX_PROMPT_CACHE_TTL_MS = 60_000;
export const DEFAULT_CACHE_ENTRIES = 1_000;

/** A rule's `kms.maxCalls`: a quarter of `limits.maxCalls`, so that one rule whose calls hang leaves room for the others. */
export const DEFAULT_RULE_CALLS = 256;

export const DEFAULT_SOCKET_MODE = "0600";
/** Google's own default and, without an organization policy, its maximum. */
export const DEFAULT_LIFETIME_MS = 3_600_000;
export const DEFAULT_METADATA_TIMEOUT_MS = 3000;
/** A command may have to start an interpreter and ask somebody; the refresher itself waits no longer by default. */
export const DEFAULT_EXEC_TIMEOUT_MS = 10_000;
/** A bound for issuers that give out tokens for months; those of CI jobs and pods live for minutes or hours. */
export const DEFAULT_JWT_MAX_AGE_MS = 86_400_000;
export const DEFAULT_UNIVERSE_DOMAIN = "googleapis.com";
