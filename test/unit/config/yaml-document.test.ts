import assert from "node:assert/strict";
import { test } from "node:test";
import { issuesOf, parse, withRule } from "./parsing.ts";

const rows: readonly (readonly [what: string, text: string | Uint8Array, expected: string])[] = [
  ["an empty file", "", "the file is empty, expected a mapping that begins with version: 1"],
  ["only a comment", "# nothing\n", "the file is empty, expected a mapping that begins with version: 1"],
  ["bytes that are not UTF-8", Buffer.from([0x61, 0xff]), "the file is not UTF-8 text"],
  ["a file above the limit", `#${"x".repeat(1_048_576)}`, "the file is larger than 1048576 bytes"],
  ["a key given twice", "version: 1\nversion: 1", "2:1: version: this key is given twice"],
  ["a key given twice further down", withRule("    name: s"), "8:5: rules[0].name: this key is given twice"],
  ["a second document", "version: 1\n---\nversion: 1", "2:1: the file holds more than one document; a config is one"],
  ["a tab as indentation", "version: 1\nrules:\n\t- name: x", "3:1: tabs cannot indent YAML; use spaces"],
  ["an unclosed quote", 'version: "1', "1:12: a character is missing, such as a quote, bracket, comma, colon or space"],
  ["a number as key", "version: 1\n1: x", "2:1: a key here must be text; put quotes around it"],
  ["a list as key", "version: 1\n? [a]\n: x", "2:3: a key here must be text; put quotes around it"],
  ["__proto__", "version: 1\n__proto__: { rules: [] }", "2:1: a key here must be text; put quotes around it"],
  [
    "a merge key",
    withRule("<<: {}"),
    "8:1: (a key): unknown key; known are version, listeners, callers, tokenSources, rules, deny, google, limits, audit, stateDirectory",
  ],
  ["a tag", withRule("google: !!binary aGk="), "8:9: this tag is not known; a config needs none"],
  [
    "an alias without an anchor",
    withRule("google: *x"),
    "8:9: google: no complete value before this has the anchor that it names",
  ],
  [
    "an alias within its anchor",
    withRule("google: &x { endpoints: *x }"),
    "8:25: google.endpoints: no complete value before this has the anchor that it names",
  ],
  [
    "an anchor after its alias",
    "version: *v\nrules: &v []",
    "1:10: version: no complete value before this has the anchor that it names",
  ],
];

for (const [what, text, expected] of rows) {
  test(`${what} is refused`, () => assert.deepEqual(issuesOf(text), [expected]));
}

test("an anchor can be used again within bounds, and an error in it stands where it was written", () => {
  const text = withRule(`    allow: &decrypt [{ operations: [decrypt] }]
  - name: s
    match: projects/q/locations/global/keyRings/r/cryptoKeys/k
    tokenSource: a
    allow: *decrypt`);
  assert.deepEqual(parse(text).rules[1]?.allow, parse(text).rules[0]?.allow);
  assert.deepEqual(
    issuesOf(text.replace("[decrypt]", "[delete]")).map((issue) => issue.split(":")[0]),
    ["8", "8"],
  );
});

test("aliases that multiply are refused before they are written out", () => {
  const levels = Array.from({ length: 30 }, (_, level) => {
    const previous = level === 0 ? "x" : `*l${level - 1}`;
    return `l${level}: &l${level} [${Array.from({ length: 10 }, () => previous).join(", ")}]`;
  });
  const before = performance.now();
  assert.deepEqual(issuesOf(levels.join("\n")), ["1:1: it holds too many values, those of aliases included"]);
  assert.ok(performance.now() - before < 2000);
});

test("deep nesting is refused and does not exhaust the stack", () => {
  const deep = `google: ${"{ a: ".repeat(200)}${"}".repeat(200)}`;
  assert.deepEqual(issuesOf(deep), ["1:169: google.a.a.a: this is nested too deeply"]);
  assert.match(issuesOf(`a: ${"[".repeat(50_000)}`)[0] ?? "", /nested too deeply/);
});

test("a file with thousands of errors shows a hundred and says how many are left", () => {
  const keys = Array.from(
    { length: 20_000 },
    (_, index) => `${index % 2 === 0 ? "rulez" : "x"}${"abcdefghij"[index % 10]}-${index}: 1`,
  );
  const before = performance.now();
  const issues = issuesOf(`${keys.join("\n")}\n`);
  assert.equal(issues.length, 100);
  assert.match(issues.at(-1) ?? "", /further problems are not shown/);
  assert.ok(performance.now() - before < 10_000);
});

test("a byte order mark is no part of the first key", () => {
  assert.equal(parse(`\ufeff${withRule("")}`).rules.length, 1);
});

test("YAML 1.1 asked for by a directive changes no type", () => {
  assert.deepEqual(
    issuesOf(`%YAML 1.1\n---\n${withRule('listeners: [{ address: "tcp://[::1]:1", insecure: yes }]')}`),
    ["10:51: listeners[0].insecure: expected true or false"],
  );
});
