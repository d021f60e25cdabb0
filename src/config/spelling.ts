import { isShowable } from "./issue.ts";

const MAX_COMPARED_LENGTH = 40;

/**
 * The candidate that was most likely meant, or undefined. Case and underscores are no difference (`token_source`
 * means `tokenSource`); beyond that one slip for every three characters is forgiven.
 */
export function nearestWord(word: string, candidates: Iterable<string>): string | undefined {
  if (word.length > MAX_COMPARED_LENGTH) return undefined;
  let nearest: string | undefined;
  let nearestDistance = Math.max(1, Math.floor(word.length / 3)) + 1;
  for (const candidate of candidates) {
    if (candidate.length > MAX_COMPARED_LENGTH) continue;
    const distance = editDistance(toComparable(word), toComparable(candidate));
    if (distance < nearestDistance) {
      nearest = candidate;
      nearestDistance = distance;
    }
  }
  return nearest;
}

/** `, did you mean x?`, or nothing. A candidate of the document's own is shown only where a key may be. */
export function didYouMean(word: string, candidates: Iterable<string>): string {
  const nearest = nearestWord(word, [...candidates].filter(isShowable));
  return nearest === undefined ? "" : `, did you mean ${nearest}?`;
}

function toComparable(word: string): string {
  return word.toLowerCase().replaceAll(/[_-]/g, "");
}

// Optimal string alignment: a swap of neighbours, the most common slip, counts once.
function editDistance(a: string, b: string): number {
  let beforePrevious: number[] = [];
  let previous = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const current = [i];
    for (let j = 1; j <= b.length; j++) {
      const substitution = at(previous, j - 1) + (a[i - 1] === b[j - 1] ? 0 : 1);
      const isSwap = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      const swap = isSwap ? at(beforePrevious, j - 2) + 1 : Number.POSITIVE_INFINITY;
      current.push(Math.min(substitution, swap, at(previous, j) + 1, at(current, j - 1) + 1));
    }
    beforePrevious = previous;
    previous = current;
  }
  return at(previous, b.length);
}

function at(row: readonly number[], index: number): number {
  return row[index] ?? Number.POSITIVE_INFINITY;
}
