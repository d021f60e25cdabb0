/** What a name and a pattern are, written down anew as plainly as possible: what the product says is held against it. */

const PROJECT = "(?:[a-z0-9][a-z0-9.-]*:)?[a-z0-9][a-z0-9-]*";
const NAME = new RegExp(
  `^projects/(${PROJECT})/locations/([a-z0-9][a-z0-9-]*)/keyRings/([A-Za-z0-9_-]+)/cryptoKeys/([A-Za-z0-9_-]+)$`,
);
const MAX_ID = 63;
const MAX_DOMAIN = 253;

export function isKeyName(text: string): boolean {
  const found = NAME.exec(text);
  if (found === null || text.endsWith("\n")) return false;
  const [, scoped = "", location = "", ring = "", key = ""] = found;
  const [project = "", domain = "x"] = scoped.split(":").toReversed();
  return (
    [project, location, ring, key].every((id) => id.length <= MAX_ID) &&
    domain.length <= MAX_DOMAIN &&
    [project, domain, location].every((id) => !/^[.-]|[.-]$/.test(id)) &&
    ring !== "-" &&
    key !== "-"
  );
}

/** Segment by segment, and in each every way for a star: takes for ever for long texts with many stars. */
export function patternMatches(pattern: string, name: string): boolean {
  const [patterns, segments] = [pattern.split("/"), name.split("/")];
  return (
    patterns.length === segments.length && patterns.every((each, index) => starMatches(each, segments[index] ?? ""))
  );
}

export function starMatches(pattern: string, text: string): boolean {
  let reachable: readonly number[] = [0];
  for (const character of pattern.replace(/\*+/g, "*")) reachable = reachableAfter(character, text, reachable);
  return reachable.includes(text.length);
}

/** Where in the text a pattern can be after one more of its characters. */
function reachableAfter(character: string, text: string, from: readonly number[]): readonly number[] {
  if (character !== "*") return from.filter((at) => text[at] === character).map((at) => at + 1);
  const first = Math.min(...from, text.length + 1);
  return Array.from({ length: text.length + 1 - first }, (_, index) => first + index);
}
