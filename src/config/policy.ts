export type Operation = "encrypt" | "decrypt";

/** One entry of `allow` or `deny`. It is for a request that fits all that it names. */
export interface PolicyEntryConfig {
  /** Undefined: any caller. */
  readonly callers: readonly string[] | undefined;
  readonly operations: readonly Operation[];
  /** As written; undefined: every key, of the rule where it stands in one. */
  readonly match: string | undefined;
}
