import { type Glob, globMatches } from "../routing/glob.ts";

/** Which records are wanted. What is undefined is not looked at. */
export interface RecordFilter {
  readonly caller?: string | undefined;
  readonly key?: Glob | undefined;
  readonly rule?: string | undefined;
  /** `ok`, `failed`, `refused` or an error's code. */
  readonly outcome?: string | undefined;
  readonly operation?: string | undefined;
  readonly event?: string | undefined;
  readonly request?: string | undefined;
  /** RFC 3339, as records have it. */
  readonly since?: string | undefined;
  readonly until?: string | undefined;
}

export type RecordFields = Readonly<Record<string, unknown>>;

export function recordMatches(fields: RecordFields, filter: RecordFilter): boolean {
  return (
    isEqual(filter.event, fields["event"]) &&
    isEqual(filter.rule, fields["rule"]) &&
    isEqual(filter.operation, fields["operation"]) &&
    isEqual(filter.request, fields["request"]) &&
    isWithin(fields["time"], filter) &&
    hasCaller(fields["caller"], filter.caller) &&
    hasKey(fields["key"], filter.key) &&
    hasOutcome(fields, filter.outcome)
  );
}

function isEqual(wanted: string | undefined, value: unknown): boolean {
  return wanted === undefined || wanted === value;
}

/** Times of one form and zone compare as text. */
function isWithin(time: unknown, { since, until }: RecordFilter): boolean {
  if (since === undefined && until === undefined) return true;
  return typeof time === "string" && (since === undefined || time >= since) && (until === undefined || time <= until);
}

function hasCaller(caller: unknown, wanted: string | undefined): boolean {
  if (wanted === undefined) return true;
  if (typeof caller !== "object" || caller === null || !("names" in caller)) return false;
  return Array.isArray(caller.names) && caller.names.includes(wanted);
}

function hasKey(key: unknown, wanted: Glob | undefined): boolean {
  return wanted === undefined || (typeof key === "string" && globMatches(wanted, key));
}

/** Who did not prove to be somebody is refused before rule and policy are asked: there is an outcome, and no decision. */
function hasOutcome({ outcome, decision, code }: RecordFields, wanted: string | undefined): boolean {
  switch (wanted) {
    case undefined:
      return true;
    case "failed":
      return outcome !== undefined && outcome !== "ok";
    case "refused":
      return decision === "refused" || outcome === "caller_unauthenticated";
    default:
      return outcome === wanted || code === wanted;
  }
}
