/** How identities are read, written down anew: what the product says is held against it. */

/** SPIFFE-ID, section 2: the id of a workload. */
export function isWorkloadId(text: string): boolean {
  const [scheme, empty, domain = "", ...path] = text.split("/");
  if (scheme !== "spiffe:" || empty !== "" || text.length > 2048 || domain.length > 255) return false;
  const isDomain =
    domain !== "" && [...domain].every((each) => "abcdefghijklmnopqrstuvwxyz0123456789.-_".includes(each));
  return isDomain && path.length > 0 && path.every(isSegment);
}

function isSegment(segment: string): boolean {
  return segment !== "" && segment !== "." && segment !== ".." && !/[^A-Za-z0-9._-]/.test(segment);
}

export type Name = readonly [kind: string, value: string];

/** `KIND:value, KIND:"value"`, one character after the other; undefined where that is not what it is. */
export function readNames(text: string): readonly Name[] | undefined {
  const names: Name[] = [];
  let rest = text;
  while (rest !== "") {
    const colon = rest.indexOf(":");
    const kind = rest.slice(0, Math.max(0, colon));
    if (kind === "" || /[^A-Za-z0-9 ]/.test(kind)) return undefined;
    const found = readValue(rest.slice(colon + 1));
    if (found === undefined) return undefined;
    names.push([kind, found.value]);
    rest = found.rest;
    if (rest !== "" && !rest.startsWith(", ")) return undefined;
    rest = rest.slice(2);
  }
  return names;
}

function readValue(text: string): { readonly value: string; readonly rest: string } | undefined {
  if (!text.startsWith('"')) {
    const end = [...text].findIndex((each) => ',"\\'.includes(each));
    const value = end === -1 ? text : [...text].slice(0, end).join("");
    return { value, rest: text.slice(value.length) };
  }
  let end = 1;
  while (end < text.length && text[end] !== '"') end += text[end] === "\\" ? 2 : 1;
  if (end >= text.length) return undefined;
  try {
    return { value: String(JSON.parse(text.slice(0, end + 1))), rest: text.slice(end + 1) };
  } catch {
    return undefined;
  }
}
