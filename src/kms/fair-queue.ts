/** What waits, in a line for each rule; the lines are served in rotation, so that none keeps another waiting. */
export interface FairQueue<Entry> {
  readonly size: number;
  add(rule: string, entry: Entry): void;
  /** Whether it was there. */
  remove(rule: string, entry: Entry): boolean;
  /** Takes out the one whose turn it is; undefined where none waits. */
  takeNext(): Entry | undefined;
  /** Takes out the newest of the longest line, for one of `rule` to come in; undefined where that one's is as long. */
  giveWayTo(rule: string): Entry | undefined;
}

export function createFairQueue<Entry>(): FairQueue<Entry> {
  // In the order of their turns: whoever was served goes to the end. None is empty.
  const lines = new Map<string, Set<Entry>>();
  let size = 0;

  function remove(rule: string, entry: Entry): boolean {
    const line = lines.get(rule);
    if (line?.delete(entry) !== true) return false;
    size -= 1;
    if (line.size === 0) lines.delete(rule);
    return true;
  }

  function findLongest(): { readonly rule: string; readonly line: ReadonlySet<Entry> } | undefined {
    let longest: { readonly rule: string; readonly line: ReadonlySet<Entry> } | undefined;
    for (const [rule, line] of lines) {
      if (longest === undefined || line.size > longest.line.size) longest = { rule, line };
    }
    return longest;
  }

  return {
    get size() {
      return size;
    },
    add(rule, entry) {
      const line = lines.get(rule);
      if (line === undefined) lines.set(rule, new Set([entry]));
      else line.add(entry);
      size += 1;
    },
    remove,
    takeNext() {
      const [first] = lines;
      if (first === undefined) return undefined;
      const [rule, line] = first;
      const [entry] = line;
      if (entry === undefined) return undefined;
      remove(rule, entry);
      if (lines.delete(rule)) lines.set(rule, line);
      return entry;
    },
    giveWayTo(rule) {
      const longest = findLongest();
      const own = lines.get(rule)?.size ?? 0;
      if (longest === undefined || longest.line.size <= own + 1) return undefined;
      const newest = [...longest.line].at(-1);
      if (newest !== undefined) remove(longest.rule, newest);
      return newest;
    },
  };
}
