import type { JwtCallerConfig } from "../../config/jwt-caller.ts";
import { type Glob, globMatches, parseGlob } from "../../routing/glob.ts";

/** The claims of a token, once its signature was verified. */
export type Claims = Readonly<Record<string, unknown>>;

/** One claim that a caller's tokens must have, with one of some values. */
export interface ClaimTest {
  readonly name: string;
  readonly values: readonly Glob[];
}

export function compileClaims(claims: JwtCallerConfig["claims"]): readonly ClaimTest[] {
  return [...claims].map(([name, values]) => ({ name, values: values.map((value) => parseGlob(String(value))) }));
}

/** The first claim that does not fit, by name; undefined where all do. */
export function findMisfit(tests: readonly ClaimTest[], claims: Claims): string | undefined {
  return tests.find((test) => !fits(test, claims))?.name;
}

/** A list fits where one of its members does, as `aud` and groups are read. */
function fits({ name, values }: ClaimTest, claims: Claims): boolean {
  // A claim of the name of something that every object has is none.
  const claim = Object.hasOwn(claims, name) ? claims[name] : undefined;
  const members: readonly unknown[] = Array.isArray(claim) ? claim : [claim];
  return members.some((member) => {
    const text = toText(member);
    return text !== undefined && values.some((value) => globMatches(value, text));
  });
}

/**
 * Numbers and truth by their text, since issuers differ: GitHub's `repository_id` is text that looks like a number,
 * GitLab's `ref_protected` is text that looks like truth. Numbers that JSON rounds are no basis for a decision.
 */
function toText(value: unknown): string | undefined {
  if (typeof value === "string") return value;
  if (typeof value === "boolean") return String(value);
  return typeof value === "number" && Number.isSafeInteger(value) ? String(value) : undefined;
}

const MAX_SHOWN_LENGTH = 80;
const MAX_SHOWN_MEMBERS = 3;

/** A claim's value in a message: bounded, and only what is text, a number or truth. */
export function showClaim(value: unknown): string {
  if (!Array.isArray(value)) return showMember(value);
  const shown = value.slice(0, MAX_SHOWN_MEMBERS).map(showMember).join(", ");
  return value.length > MAX_SHOWN_MEMBERS ? `[${shown}, …]` : `[${shown}]`;
}

function showMember(value: unknown): string {
  if (value === undefined) return "missing";
  if (typeof value === "string") return `"${shorten(value)}"`;
  return typeof value === "number" || typeof value === "boolean" ? String(value) : "neither text nor number";
}

function shorten(text: string): string {
  return text.length > MAX_SHOWN_LENGTH ? `${text.slice(0, MAX_SHOWN_LENGTH)}…` : text;
}
