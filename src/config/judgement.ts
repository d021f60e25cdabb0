import type { Finding, KeyPath } from "./issue.ts";

/** A finding of a check that goes beyond the shape. Only an error refuses the config. */
export interface Judgement extends Finding {
  readonly severity: "error" | "warning";
}

export function error(path: KeyPath, message: string, at: Finding["at"] = "value"): Judgement {
  return { severity: "error", path, at, message };
}

export function warning(path: KeyPath, message: string, at: Finding["at"] = "value"): Judgement {
  return { severity: "warning", path, at, message };
}
