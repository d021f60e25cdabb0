import { type Glob, globCovers, globMatches, globsOverlap, parseGlob } from "./glob.ts";
import { type CryptoKeyName, idsOf, KEY_NAME_FORM, MAX_RESOURCE_NAME_LENGTH, NAME_PARTS } from "./resource-name.ts";

/** A key's name in which each id may have stars; a star never goes beyond its segment. */
export interface Pattern {
  /** As written. */
  readonly text: string;
  /** For project, location, key ring and key. */
  readonly ids: readonly Glob[];
}

/** A pattern that cannot be used. The message never repeats the pattern. */
export class PatternError extends Error {
  override readonly name = "PatternError";
}

/**
 * Reads what the config calls `match`: a key's name, with stars in any of its ids.
 *
 * @throws PatternError where no key could ever fit it
 */
export function parsePattern(text: string): Pattern {
  if (text.length > MAX_RESOURCE_NAME_LENGTH) {
    throw new PatternError(`expected at most ${MAX_RESOURCE_NAME_LENGTH} characters`);
  }
  const segments = text.split("/");
  if (segments[0] !== "projects") throw new PatternError(`expected it to begin with projects/, as in ${KEY_NAME_FORM}`);
  if (segments.length !== NAME_PARTS.length * 2) throw new PatternError(describeLength(segments));
  const ids = NAME_PARTS.map((part, index) => {
    const position = index * 2 + 1;
    if (segments[index * 2] !== part.collection) {
      throw new PatternError(`expected segment ${position} to be "${part.collection}", as in ${KEY_NAME_FORM}`);
    }
    const segment = segments[position] ?? "";
    const problem = findSegmentProblem(segment, part.id, part.character);
    if (problem !== undefined) throw new PatternError(`no ${part.what} can fit segment ${position + 1}: ${problem}`);
    return parseGlob(segment);
  });
  return Object.freeze({ text, ids });
}

function describeLength(segments: readonly string[]): string {
  const hint = segments.includes("**") ? "; ** stays in one segment just as * does" : "";
  return `expected 8 segments as in ${KEY_NAME_FORM}, found ${segments.length}${hint}`;
}

function findSegmentProblem(segment: string, id: RegExp, character: RegExp): string | undefined {
  if (segment === "") return "it is empty";
  const stray = [...segment].find((each) => each !== "*" && !character.test(each));
  if (stray !== undefined) return "it has a character that no such id has (only * stands for others)";
  return segment.includes("*") || id.test(segment) ? undefined : "it is not a valid id";
}

export function matches(pattern: Pattern, name: CryptoKeyName): boolean {
  return matchesIds(pattern, idsOf(name));
}

/** {@link matches} for a name whose ids were taken apart before, as for many patterns in a row. */
export function matchesIds(pattern: Pattern, ids: readonly string[]): boolean {
  return findMismatch(pattern, ids) === undefined;
}

/** Which id is the first that does not fit: 0 for the project to 3 for the key; undefined where all fit. */
export function findMismatch(pattern: Pattern, ids: readonly string[]): number | undefined {
  for (let index = 0; index < pattern.ids.length; index++) {
    const glob = pattern.ids[index];
    if (glob === undefined || !globMatches(glob, ids[index] ?? "")) return index;
  }
  return undefined;
}

/** Whether every key that fits `b` fits `a` as well. */
export function covers(a: Pattern, b: Pattern): boolean {
  return a.ids.every((glob, index) => {
    const other = b.ids[index];
    return other !== undefined && globCovers(glob, other);
  });
}

/** Whether there is a key that fits both. */
export function overlaps(a: Pattern, b: Pattern): boolean {
  return a.ids.every((glob, index) => {
    const other = b.ids[index];
    return other !== undefined && globsOverlap(glob, other);
  });
}

/** What the pattern says about the location of a key. */
export function locationOfPattern(pattern: Pattern): Glob {
  return pattern.ids[1] ?? parseGlob("*");
}
