import { overlaps, parsePattern } from "../routing/pattern.ts";
import { checkCommand } from "./check-sources.ts";
import type { ApproveShape, CallerLimitShape, PartialShape, PolicyEntryShape } from "./document.ts";
import type { KeyPath } from "./issue.ts";
import { error, type Judgement } from "./judgement.ts";
import { didYouMean } from "./spelling.ts";

const UNKNOWN_CALLER = "neither a listener nor callers has this name";

type Kind = "allow" | "deny";

export function* checkPolicy({ rules, deny, callers }: PartialShape): Generator<Judgement> {
  for (const [index, rule] of rules.entries()) {
    if (rule === undefined) continue;
    for (const kind of ["allow", "deny"] as const) {
      yield* checkEntries(kind, rule[kind] ?? [], ["rules", index, kind], callers, rule.match);
    }
  }
  yield* checkEntries("deny", deny, ["deny"], callers, undefined);
  for (const [index, rule] of rules.entries()) yield* checkApprove(rule?.approve, ["rules", index, "approve"]);
}

function* checkApprove(approve: ApproveShape | undefined, path: KeyPath): Generator<Judgement> {
  if (approve === undefined) return;
  const { command, prompt } = approve;
  if ((command === undefined) === (prompt === undefined)) yield error(path, "expected either command or prompt");
  if (command !== undefined) {
    yield* checkCommand(command[0] ?? "", path);
    return;
  }
  for (const key of ["env", "cwd"] as const) {
    if (approve[key] !== undefined) yield error([...path, key], "only a command has this", "key");
  }
}

export function* checkCallerLimits({ rules, limits, callers }: PartialShape): Generator<Judgement> {
  for (const [index, rule] of rules.entries()) {
    yield* checkLimit(rule?.limits.perCaller, ["rules", index, "limits", "perCaller"]);
  }
  const general = limits?.perCaller;
  yield* checkLimit(general, ["limits", "perCaller"]);
  for (const [name, limit] of Object.entries(limits?.callers ?? {})) {
    const at = ["limits", "callers", name];
    if (!callers.has(name)) yield error(at, `${UNKNOWN_CALLER}${didYouMean(name, callers)}`, "key");
    yield* checkLimit(limit, at, general);
  }
}

/** @param general what holds where `limit` says nothing */
function* checkLimit(
  limit: CallerLimitShape | undefined,
  path: KeyPath,
  general?: CallerLimitShape,
): Generator<Judgement> {
  if (limit === undefined) return;
  const { callsPerSecond, burst, callsAtOnce } = limit;
  if (callsPerSecond === undefined && callsAtOnce === undefined && burst === undefined) {
    yield error(path, "expected callsPerSecond, callsAtOnce or both");
  } else if (burst !== undefined && callsPerSecond === undefined && general?.callsPerSecond === undefined) {
    yield error([...path, "burst"], "limits nothing without callsPerSecond", "key");
  }
}

/** @param within `match` of the rule; undefined: the entries are for all keys */
function* checkEntries(
  kind: Kind,
  entries: readonly (PolicyEntryShape | undefined)[],
  path: KeyPath,
  known: ReadonlySet<string>,
  within: string | undefined,
): Generator<Judgement> {
  for (const [index, entry] of entries.entries()) {
    if (entry === undefined) continue;
    const at = [...path, index];
    if (Object.values(entry).every((value) => value === undefined)) yield error(at, describeEmpty(kind));
    yield* checkCallers(entry, at, known);
    // A deny that is never met leaves open what it means to close, so this is more than a warning.
    if (entry.match !== undefined && within !== undefined && !fits(entry.match, within)) {
      yield error([...at, "match"], "no key of this rule fits it");
    }
  }
}

function describeEmpty(kind: Kind): string {
  const effect = kind === "allow" ? "allow" : "refuse";
  return `expected callers, operations or match; an empty entry would ${effect} everything`;
}

function* checkCallers({ callers }: PolicyEntryShape, at: KeyPath, known: ReadonlySet<string>): Generator<Judgement> {
  for (const [position, name] of (callers ?? []).entries()) {
    if (known.has(name)) continue;
    yield error([...at, "callers", position], `${UNKNOWN_CALLER}${didYouMean(name, known)}`);
  }
}

function fits(match: string, within: string): boolean {
  return overlaps(parsePattern(match), parsePattern(within));
}
