import assert from "node:assert/strict";
import { test } from "node:test";
import { parse as parseYaml } from "yaml";
import { fromJSONSchema, type ZodType } from "zod";
import { parseConfig } from "../../../src/config/parse.ts";
import { exampleFiles, readProjectFile } from "./config-files.ts";

const jsonSchema: ZodType = fromJSONSchema(JSON.parse(readProjectFile("schema/config.schema.json")));

test("the five examples are there", () => {
  const names = ["ci", "developer", "emulator", "minimal", "multi-tenant"].map((name) => `examples/${name}.yaml`);
  assert.deepEqual(
    names.filter((name) => !exampleFiles().includes(name)),
    [],
  );
});

for (const file of exampleFiles()) {
  test(`${file} loads without a warning`, () => {
    const { config, warnings } = parseConfig(Buffer.from(readProjectFile(file)), file);
    assert.deepEqual(warnings, []);
    assert.ok(config.rules.length > 0);
  });

  test(`${file} names its schema in the first line and fits it`, () => {
    const text = readProjectFile(file);
    assert.equal(text.split("\n")[0], "# yaml-language-server: $schema=../schema/config.schema.json");
    const result = jsonSchema.safeParse(parseYaml(text));
    assert.deepEqual(result.error?.issues ?? [], []);
  });
}

test("the JSON Schema refuses what the config refuses by its shape", () => {
  const source = { type: "default" };
  const rule = { name: "r", match: "projects/p/locations/l/keyRings/r/cryptoKeys/k", tokenSource: "a" };
  const good = { version: 1, tokenSources: { a: source }, rules: [rule] };
  assert.equal(jsonSchema.safeParse(good).success, true);
  const bad = [
    { ...good, version: 2 },
    { ...good, audit: {} },
    { ...good, rules: [{ ...rule, tokenSources: "a" }] },
    { ...good, tokenSources: { a: { type: "external_account" } } },
    { ...good, rules: [{ ...rule, kms: { deadline: 10 } }] },
    { ...good, limits: { maxConnections: 0 } },
  ];
  for (const each of bad) assert.equal(jsonSchema.safeParse(each).success, false, JSON.stringify(each));
});
