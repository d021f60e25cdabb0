import { isAlias, isMap, isNode, isScalar, isSeq, type Node, type YAMLMap } from "yaml";
import type { KeyPath } from "./issue.ts";
import { createYamlPositions, type NodePlace, type YamlPositions } from "./yaml-positions.ts";

export type PlainValue = string | number | boolean | null | readonly PlainValue[] | PlainObject;
export interface PlainObject {
  readonly [key: string]: PlainValue;
}

export interface YamlTrouble {
  /** Into the text. */
  readonly offset: number;
  readonly path: KeyPath;
  readonly message: string;
}

export interface YamlReader {
  /** Undefined where the document is empty or not to be used at all. */
  readonly value: PlainValue | undefined;
  readonly troubles: readonly YamlTrouble[];
  readonly offsetOf: YamlPositions["offsetOf"];
}

/** A value, and how many values it would be with every alias written out. */
interface Read {
  readonly value: PlainValue;
  readonly size: number;
}

/** Aliases may repeat parts of a document, but not multiply it. */
const MAX_EXPANDED_VALUES = 100_000;
const MAX_DEPTH = 32;

const NOTHING: Read = { value: null, size: 1 };

/**
 * Turns YAML nodes into plain values in one pass and linear time. An alias shares the value of its anchor; a sum of
 * expanded sizes is kept on the way, so a file of nested aliases is refused before anything walks it.
 */
export function createYamlReader(contents: Node | null): YamlReader {
  const troubles: YamlTrouble[] = [];
  const anchors = new Map<string, { readonly node: Node; readonly read: Read }>();
  const positions = createYamlPositions(contents);
  const report = (node: Node, path: KeyPath, message: string): Read => {
    troubles.push({ offset: node.range?.[0] ?? 0, path, message });
    return NOTHING;
  };

  function read(node: unknown, path: KeyPath): Read {
    if (!isNode(node)) return NOTHING;
    if (path.length > MAX_DEPTH) return report(node, path.slice(0, 4), "this is nested too deeply");
    if (isAlias(node)) return readAlias(node, node.source, path);
    const result = readValue(node, path);
    // Only now: an alias within its own anchor would be a circle.
    if (node.anchor !== undefined) anchors.set(node.anchor, { node, read: result });
    return result;
  }

  function readAlias(node: Node, name: string, path: KeyPath): Read {
    const anchor = anchors.get(name);
    if (anchor === undefined) return report(node, path, "no complete value before this has the anchor that it names");
    positions.addAlias(node, anchor.node);
    return anchor.read;
  }

  function readValue(node: Node, path: KeyPath): Read {
    if (isMap(node)) return readMap(node, path);
    if (isSeq(node)) {
      const items = node.items.map((item, index) => read(item, [...path, index]));
      return { value: items.map((item) => item.value), size: sum(items) };
    }
    return isScalar(node) ? readScalar(node, node.value, path) : report(node, path, "this is not YAML");
  }

  function readScalar(node: Node, value: unknown, path: KeyPath): Read {
    if (typeof value === "string" || typeof value === "number" || typeof value === "boolean") return { value, size: 1 };
    return value === null ? NOTHING : report(node, path, "expected text, a number, true or false");
  }

  function readMap(map: YAMLMap, path: KeyPath): Read {
    const value: Record<string, PlainValue> = Object.create(null);
    const index = new Map<string, NodePlace>();
    const sizes: Read[] = [];
    for (const pair of map.items) {
      const key = readKey(pair.key, map, path, index);
      if (key === undefined) continue;
      index.set(key.text, { key: key.node, value: isNode(pair.value) ? pair.value : undefined });
      const item = read(pair.value, [...path, key.text]);
      sizes.push(item);
      value[key.text] = item.value;
    }
    positions.addMap(map, index);
    return { value, size: sum(sizes) };
  }

  function readKey(
    key: unknown,
    map: YAMLMap,
    path: KeyPath,
    earlier: ReadonlyMap<string, NodePlace>,
  ): { text: string; node: Node } | undefined {
    if (!isScalar(key) || typeof key.value !== "string" || key.value === "__proto__") {
      report(isNode(key) ? key : map, path, "a key here must be text; put quotes around it");
      return undefined;
    }
    if (!earlier.has(key.value)) return { text: key.value, node: key };
    report(key, [...path, key.value], "this key is given twice");
    return undefined;
  }

  const result = contents === null ? undefined : read(contents, []);
  const isTooLarge = result !== undefined && result.size > MAX_EXPANDED_VALUES;
  if (isTooLarge && contents !== null) report(contents, [], "it holds too many values, those of aliases included");
  return { value: isTooLarge ? undefined : result?.value, troubles, offsetOf: positions.offsetOf };
}

function sum(items: readonly Read[]): number {
  return items.reduce((total, item) => total + item.size, 1);
}
