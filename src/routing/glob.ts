/**
 * A text with stars, each of which stands for any run of characters, none included. Kept as the texts between the
 * stars: `a*b*` is `["a", "b", ""]`.
 */
export interface Glob {
  readonly text: string;
  readonly pieces: readonly string[];
}

export function parseGlob(text: string): Glob {
  return { text, pieces: text.split("*") };
}

/**
 * Whether the whole of `text` fits. Each inner piece takes the first place where it fits, which leaves the most room
 * for the rest, so nothing is ever tried twice: one pass over the text.
 */
export function globMatches(glob: Glob, text: string): boolean {
  const { pieces } = glob;
  const first = pieces[0] ?? "";
  if (pieces.length === 1) return text === first;
  const last = pieces[pieces.length - 1] ?? "";
  const end = text.length - last.length;
  if (first.length > end || !text.startsWith(first) || !text.endsWith(last)) return false;
  let from = first.length;
  for (let index = 1; index < pieces.length - 1; index++) {
    const piece = pieces[index] ?? "";
    const found = text.indexOf(piece, from);
    if (found === -1) return false;
    from = found + piece.length;
  }
  return from <= end;
}

/**
 * Whether `a` fits every text that `b` fits.
 *
 * A star of `b` can stand for a character that `a` does not have; only a star of `a` takes that one. So `b`'s own
 * text, its stars read as such a character, fits `a` exactly where all that `b` fits does. (It takes a character
 * that `a` does not have: a glob that has all of an alphabet could cover more than this says.)
 */
export function globCovers(a: Glob, b: Glob): boolean {
  return globMatches(a, b.text);
}

/**
 * Whether some text fits both. Where both have stars, only their beginnings and ends can be at odds: whatever else
 * they ask for can stand in between, first the one's and then the other's.
 */
export function globsOverlap(a: Glob, b: Glob): boolean {
  if (a.pieces.length === 1) return globMatches(b, a.text);
  if (b.pieces.length === 1) return globMatches(a, b.text);
  const [startOfA = "", startOfB = ""] = [a.pieces[0], b.pieces[0]];
  const [endOfA = "", endOfB = ""] = [a.pieces.at(-1), b.pieces.at(-1)];
  const startsAgree = startOfA.startsWith(startOfB) || startOfB.startsWith(startOfA);
  return startsAgree && (endOfA.endsWith(endOfB) || endOfB.endsWith(endOfA));
}
