import assert from "node:assert/strict";
import { test } from "node:test";
import { renderConfigJsonSchema } from "../../../src/config/json-schema.ts";
import { parseConfig } from "../../../src/config/parse.ts";
import { readProjectFile } from "./config-files.ts";

interface SchemaNode {
  readonly properties?: Readonly<Record<string, SchemaNode>>;
  readonly additionalProperties?: SchemaNode | boolean;
  readonly items?: SchemaNode;
  readonly anyOf?: readonly SchemaNode[];
  readonly oneOf?: readonly SchemaNode[];
  readonly default?: unknown;
  readonly description?: string;
}

function* keysOf(node: SchemaNode, path: string): Generator<[string, SchemaNode]> {
  for (const branch of [...(node.anyOf ?? []), ...(node.oneOf ?? [])]) yield* keysOf(branch, path);
  if (node.items !== undefined) yield* keysOf(node.items, `${path}[]`);
  if (typeof node.additionalProperties === "object") yield* keysOf(node.additionalProperties, `${path}.NAME`);
  for (const [key, child] of Object.entries(node.properties ?? {})) {
    const childPath = path === "" ? key : `${path}.${key}`;
    yield [childPath, child];
    yield* keysOf(child, childPath);
  }
}

const committedSchema = readProjectFile("schema/config.schema.json");
const schemaKeys: ReadonlyMap<string, SchemaNode> = new Map(keysOf(JSON.parse(committedSchema), ""));
const documentation = readProjectFile("docs/configuration.md");

/** Rows of the tables of keys: the key's path, and what stands under default. */
const documentedKeys: ReadonlyMap<string, string> = new Map(
  documentation
    .split("\n")
    .map((line) => /^\| `([A-Za-z0-9_.[\]]+)` \| [^|]* \| ([^|]*) \| [^|]*\|$/.exec(line))
    .flatMap((row) => (row === null ? [] : [[row[1] ?? "", row[2] ?? ""] as const])),
);

test("the committed JSON Schema is what scripts/generate-schema.ts writes", () => {
  assert.equal(committedSchema, renderConfigJsonSchema());
});

test("every key of the schema says what it is for", () => {
  const silent = [...schemaKeys].filter(([path, node]) => node.description === undefined && !path.endsWith(".type"));
  assert.deepEqual(
    silent.map(([path]) => path),
    [],
  );
});

test("the documentation has every key of the schema and no other", () => {
  assert.ok(schemaKeys.size > 40);
  assert.deepEqual([...documentedKeys.keys()].toSorted(), [...schemaKeys.keys()].toSorted());
});

for (const [path, node] of schemaKeys) {
  test(`the documentation tells the default of ${path}`, () => {
    const documented = documentedKeys.get(path)?.replaceAll("`", "").replaceAll('"', "");
    const { default: value } = node;
    if (value === undefined) assert.match(documented ?? "", /^(none|required)$/);
    else assert.equal(documented, typeof value === "object" ? JSON.stringify(value) : String(value));
  });
}

test("the config at the top of the documentation is a good one", () => {
  const yaml = /```yaml\n([\s\S]*?)```/.exec(documentation)?.[1] ?? "";
  assert.equal(parseConfig(Buffer.from(yaml), "docs/configuration.md").config.rules.length, 1);
});
