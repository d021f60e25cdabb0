export type Operation = "encrypt" | "decrypt";

/** One entry of `allow` or `deny`. It is for a request that fits all that it names. */
export interface PolicyEntryConfig {
  /** Undefined: any caller. */
  readonly callers: readonly string[] | undefined;
  readonly operations: readonly Operation[];
  /** As written; undefined: every key, of the rule where it stands in one. */
  readonly match: string | undefined;
}

/** How much one caller may ask for. */
export interface CallerLimitConfig {
  /** May be a fraction. Undefined: any number. */
  readonly callsPerSecond: number | undefined;
  /** How many calls may come at once after a pause; at least 1. */
  readonly burst: number;
  /** Calls in flight. Undefined: any number. */
  readonly callsAtOnce: number | undefined;
}

/** Every caller's limits, by the names of callers where they have limits of their own. */
export interface CallerLimitsConfig {
  /** Undefined: none. */
  readonly perCaller: CallerLimitConfig | undefined;
  readonly callers: ReadonlyMap<string, CallerLimitConfig>;
}

/** What holds for each caller under one rule, besides what holds for all rules together. */
export interface RuleLimitsConfig {
  readonly perCaller: CallerLimitConfig | undefined;
}

/** Who is asked before a call goes on. */
export type ApproveConfig = CommandApproveConfig | TerminalApproveConfig;

interface ApproveConfigBase {
  /** What is asked about. */
  readonly operations: readonly Operation[];
  /** Of a call's whole wait for its approval. It is no part of the rule's deadline. */
  readonly timeoutMs: number;
  /** How long an approval is good for the same caller, operation and key; 0: for that call alone. */
  readonly rememberMs: number;
}

export interface CommandApproveConfig extends ApproveConfigBase {
  readonly by: "command";
  /** The program (absolute, or a name to look for on PATH) and its arguments. No shell reads it. */
  readonly command: readonly string[];
  /** Names of the environment variables that it gets besides PATH and HOME. */
  readonly env: readonly string[];
  /** Absolute. */
  readonly cwd: string;
}

/** Whoever sits at the controlling terminal of the process. */
export interface TerminalApproveConfig extends ApproveConfigBase {
  readonly by: "terminal";
}
