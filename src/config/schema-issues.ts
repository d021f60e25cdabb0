import type { core } from "zod";
import type { Finding, KeyPath } from "./issue.ts";
import { isShowable } from "./issue.ts";
import { didYouMean } from "./spelling.ts";
import { findUnbuiltKey } from "./unbuilt.ts";
import type { PlainValue } from "./yaml-reader.ts";

type Issue = core.$ZodIssue;

/** The keys that the mapping at a path may have. */
export type KnownKeys = (path: KeyPath) => readonly string[];

/** More findings than are ever shown are not worked out: a hostile file could ask for a million. */
const MAX_FINDINGS = 1000;

/** The schema's issues in our words. None of them repeats a value of the document. */
export function describeSchemaIssues(
  issues: readonly Issue[],
  document: PlainValue,
  knownKeys: KnownKeys,
): readonly Finding[] {
  const findings: Finding[] = [];
  for (const issue of issues) {
    for (const finding of describeIssue(issue, document, knownKeys)) {
      if (findings.length >= MAX_FINDINGS) return findings;
      findings.push(finding);
    }
  }
  return findings;
}

function* describeIssue(issue: Issue, document: PlainValue, knownKeys: KnownKeys): Generator<Finding> {
  const path = toKeyPath(issue.path);
  switch (issue.code) {
    case "unrecognized_keys":
      for (const key of issue.keys) yield describeUnknownKey(path, key, knownKeys(path));
      return;
    case "invalid_key":
      yield { path, at: "key", message: issue.issues[0]?.message ?? issue.message };
      return;
    case "invalid_union":
      yield* describeUnion(issue, path, document);
      return;
    default:
      yield describeValue(path, issue.message, document);
  }
}

function describeUnknownKey(parent: KeyPath, key: string, known: readonly string[]): Finding {
  const hint = isShowable(key) ? didYouMean(key, known) : "";
  const message = findUnbuiltKey(parent, key) ?? `unknown key${hint === "" ? `; known are ${known.join(", ")}` : hint}`;
  return { path: [...parent, key], at: "key", message };
}

function* describeUnion(issue: core.$ZodIssueInvalidUnion, path: KeyPath, document: PlainValue): Generator<Finding> {
  // A list with one bad item is told by the item, not by "expected a name or a list".
  const inner = issue.errors.find((branch) => branch.length > 0 && branch.every((each) => each.path.length > 0));
  if (inner === undefined) {
    yield describeValue(path, issue.message, document, "options" in issue ? issue.options : undefined);
    return;
  }
  for (const each of inner) yield describeValue([...path, ...toKeyPath(each.path)], each.message, document);
}

function describeValue(
  path: KeyPath,
  message: string,
  document: PlainValue,
  options: readonly unknown[] = [],
): Finding {
  const value = valueAt(document, path);
  if (value === undefined) return { path, at: "value", message: `is missing, ${message}` };
  const words = options.filter((option) => typeof option === "string");
  const hint = typeof value === "string" && words.length > 0 ? didYouMean(value, words) : "";
  return { path, at: "value", message: `${message}${hint}` };
}

function valueAt(document: PlainValue, path: KeyPath): unknown {
  return path.reduce<unknown>((value, part) => {
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, part)) return undefined;
    return Reflect.get(value, part);
  }, document);
}

// YAML has no symbols as keys; zod's type for paths does.
function toKeyPath(path: readonly PropertyKey[]): KeyPath {
  return path.map((part) => (typeof part === "symbol" ? String(part) : part));
}
