import { isMap, isNode, isSeq, type Node, type YAMLMap } from "yaml";
import type { KeyPath } from "./issue.ts";

/** A key and its value in the document. In a list, both are the item. */
export interface NodePlace {
  readonly key: Node | undefined;
  readonly value: Node | undefined;
}

/** Finds the place of a value by its path. Maps and aliases are made known as they are read: each lookup is a step. */
export interface YamlPositions {
  addMap(map: YAMLMap, pairs: ReadonlyMap<string, NodePlace>): void;
  addAlias(alias: Node, target: Node): void;
  /** Offset into the text; of what is missing, where the key of its nearest parent stands. */
  offsetOf(path: KeyPath, at: "key" | "value"): number;
}

export function createYamlPositions(contents: Node | null): YamlPositions {
  const aliasTargets = new WeakMap<Node, Node>();
  const maps = new WeakMap<Node, ReadonlyMap<string, NodePlace>>();

  function childOf(place: NodePlace, part: string | number): NodePlace | undefined {
    if (place.value === undefined) return undefined;
    const parent = aliasTargets.get(place.value) ?? place.value;
    if (isMap(parent)) return maps.get(parent)?.get(String(part));
    const item = isSeq(parent) && typeof part === "number" ? parent.items[part] : undefined;
    return isNode(item) ? { key: item, value: item } : undefined;
  }

  return {
    addMap: (map, pairs) => maps.set(map, pairs),
    addAlias: (alias, target) => aliasTargets.set(alias, target),
    offsetOf(path, at) {
      let place: NodePlace = { key: contents ?? undefined, value: contents ?? undefined };
      for (const part of path) {
        const child = childOf(place, part);
        if (child === undefined) return startOf(place, "key");
        place = child;
      }
      return startOf(place, at);
    },
  };
}

function startOf(place: NodePlace, at: "key" | "value"): number {
  const node = at === "key" ? place.key : (place.value ?? place.key);
  return node?.range?.[0] ?? 0;
}
