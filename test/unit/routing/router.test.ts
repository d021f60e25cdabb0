import assert from "node:assert/strict";
import { test } from "node:test";
import { PatternError } from "../../../src/routing/pattern.ts";
import { parseCryptoKeyName } from "../../../src/routing/resource-name.ts";
import { createRouter, findUnreachable } from "../../../src/routing/router.ts";

const ANY = "locations/*/keyRings/*/cryptoKeys/*";
const rules = [
  { name: "prod", match: `projects/*-prod/${ANY}` },
  { name: "team-a", match: `projects/team-a-*/${ANY}` },
  { name: "ring", match: "projects/team-b/locations/us/keyRings/r/cryptoKeys/*" },
];

function keyOf(project: string) {
  return parseCryptoKeyName(`projects/${project}/locations/us/keyRings/r/cryptoKeys/k`);
}

test("the first rule that matches is taken, though a later one matches as well", () => {
  const router = createRouter(rules);
  assert.equal(router.route(keyOf("team-a-prod"))?.name, "prod");
  assert.equal(router.route(keyOf("team-a-dev"))?.name, "team-a");
  assert.equal(router.route(keyOf("team-b"))?.name, "ring");
});

test("a key that no rule matches has no route", () => {
  assert.equal(createRouter(rules).route(keyOf("team-c")), undefined);
  assert.equal(createRouter([]).route(keyOf("team-c")), undefined);
});

test("the trail ends at the rule that matches and says why those before it do not", () => {
  assert.deepEqual(createRouter(rules).trace(keyOf("team-a-dev")), [
    { rule: "prod", match: rules[0]?.match, mismatch: "project id", fitting: 0 },
    { rule: "team-a", match: rules[1]?.match, mismatch: undefined, fitting: 4 },
  ]);
});

test("the trail of a key without a route has every rule, and how far each fits", () => {
  const key = parseCryptoKeyName("projects/team-b/locations/us/keyRings/other/cryptoKeys/k");
  const trail = createRouter(rules).trace(key);
  assert.deepEqual(
    trail.map(({ rule, mismatch, fitting }) => [rule, mismatch, fitting]),
    [
      ["prod", "project id", 0],
      ["team-a", "project id", 0],
      ["ring", "key ring id", 2],
    ],
  );
});

test("a rule that an earlier one covers is unreachable, and the first that covers it is named", () => {
  const list = [
    { name: "a", match: `projects/a*/${ANY}` },
    { name: "wide", match: `projects/*/${ANY}` },
    { name: "ab", match: `projects/ab/${ANY}` },
    { name: "b", match: `projects/b/${ANY}` },
    { name: "b again", match: `projects/b/${ANY}` },
  ];
  assert.deepEqual(findUnreachable(list), [
    { index: 2, coveredBy: 0 },
    { index: 3, coveredBy: 1 },
    { index: 4, coveredBy: 1 },
  ]);
});

test("rules that overlap or go from narrow to wide are all reachable", () => {
  assert.deepEqual(findUnreachable(rules), []);
  assert.deepEqual(
    findUnreachable([
      { name: "n", match: `projects/b/${ANY}` },
      { name: "w", match: `projects/*/${ANY}` },
    ]),
    [],
  );
});

test("a router is not made of rules with a bad pattern", () => {
  assert.throws(() => createRouter([{ name: "x", match: "projects/x" }]), PatternError);
});
