import assert from "node:assert/strict";
import { test } from "node:test";
import { ConfigError, isShowable, renderIssue, renderKeyPath, sortIssues } from "../../../src/config/issue.ts";
import { didYouMean, nearestWord } from "../../../src/config/spelling.ts";

const issue = { file: "config.yaml", line: 12, column: 5, path: "rules[0].x", message: "unknown key" };

test("an issue is rendered so that editors can jump to it", () => {
  assert.equal(renderIssue(issue), "config.yaml:12:5: rules[0].x: unknown key");
  assert.equal(renderIssue({ ...issue, path: "" }), "config.yaml:12:5: unknown key");
  assert.equal(renderIssue({ ...issue, line: 0, column: 0, path: "" }), "config.yaml: unknown key");
});

test("a key path is written as one would in a program", () => {
  assert.equal(renderKeyPath([]), "");
  assert.equal(renderKeyPath(["rules", 0, "kms", "endpoint"]), "rules[0].kms.endpoint");
  assert.equal(renderKeyPath(["tokenSources", "team-a", "type"]), "tokenSources.team-a.type");
  assert.equal(renderKeyPath(["tokenSources", "a.b"]), 'tokenSources["a.b"]');
  assert.equal(renderKeyPath(["tokenSources", "bad key\n"]), "tokenSources.(a key)");
  assert.equal(renderKeyPath(["\u001b[31m"]), "(a key)");
});

test("keys that people think of are shown, tokens and key material are not", () => {
  for (const key of ["oauth2", "tokenSources", "team-a-2024", "k8s", "a.b_c-d", "123456789012"])
    assert.ok(isShowable(key), key);
  const secrets = [
    "ya29.a0AfB_byC7xQ",
    "MIIEvQIBADANBgkqhkiG9w0BAQ",
    "ghp_16C7e42F292c6912E7",
    "",
    "a b",
    "é",
    "x".repeat(64),
  ];
  for (const key of secrets) assert.ok(!isShowable(key), key);
});

test("the error holds all issues, one a line, and they cannot be changed", () => {
  const error = new ConfigError([issue, { ...issue, line: 13 }]);
  assert.equal(error.message, "config.yaml:12:5: rules[0].x: unknown key\nconfig.yaml:13:5: rules[0].x: unknown key");
  assert.ok(Object.isFrozen(error.issues));
});

test("an issue that two checks find is told once", () => {
  assert.deepEqual(sortIssues([issue, { ...issue }, { ...issue, column: 6 }]), [issue, { ...issue, column: 6 }]);
});

test("issues come in the order of the file, and no more than a hundred", () => {
  const many = Array.from({ length: 150 }, (_, index) => ({ ...issue, line: 150 - index }));
  const sorted = sortIssues(many);
  assert.deepEqual([sorted.length, sorted[0]?.line, sorted[98]?.line], [100, 1, 99]);
  assert.match(sorted[99]?.message ?? "", /^51 further problems/);
  assert.equal(sortIssues(many.slice(0, 100)).length, 100);
  assert.doesNotMatch(sortIssues(many.slice(0, 100)).at(-1)?.message ?? "", /further/);
});

test("the nearest word forgives case, underscores, one slip and two letters swapped", () => {
  const keys = ["tokenSource", "match", "allow", "kms", "name"];
  for (const [word, meant] of [
    ["token_source", "tokenSource"],
    ["TokenSource", "tokenSource"],
    ["tokenSources", "tokenSource"],
    ["macth", "match"],
    ["alow", "allow"],
    ["kmss", "kms"],
  ] as const) {
    assert.equal(nearestWord(word, keys), meant);
  }
});

test("what is like nothing gets no suggestion", () => {
  assert.equal(nearestWord("listeners", ["kms", "name"]), undefined);
  assert.equal(nearestWord("x".repeat(10_000), ["x".repeat(10_000)]), undefined);
  assert.equal(didYouMean("zzz", ["kms"]), "");
  assert.equal(didYouMean("kmz", ["kms"]), ", did you mean kms?");
});

test("nothing is suggested that could be a secret, or moves the reader's cursor", () => {
  assert.equal(didYouMean("team-a", ["tea\u001f-a", "team-b"]), ", did you mean team-b?");
  assert.equal(didYouMean("A0AfByC7xQ1", ["A0AfByC7xQ2"]), "");
});
