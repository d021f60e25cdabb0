import type { PolicyEntryShape } from "./document.ts";
import type { PolicyEntryConfig } from "./policy.ts";

export function resolvePolicyEntry({ callers, operations, match }: PolicyEntryShape): PolicyEntryConfig {
  return { callers, operations: operations ?? ["encrypt", "decrypt"], match };
}
