import assert from "node:assert/strict";
import { test } from "node:test";
import { isSpiffeId } from "../../../src/config/spiffe-id.ts";

const good = [
  "spiffe://example.com/a",
  "spiffe://cluster.local/ns/flux-system/sa/kustomize-controller",
  "spiffe://1_2-3.4/A.b-C_d/...",
  `spiffe://${"a".repeat(255)}/x`,
];
for (const id of good) test(`${id.slice(0, 60)} is a SPIFFE id`, () => assert.equal(isSpiffeId(id), true));

const bad = [
  "",
  "spiffe://",
  "spiffe://example.com",
  "spiffe://example.com/",
  "spiffe://example.com/a/",
  "spiffe://example.com//a",
  "spiffe://example.com/./a",
  "spiffe://example.com/../a",
  "spiffe://example.com/a?b",
  "spiffe://example.com/a#b",
  "spiffe://example.com/a%2fb",
  "spiffe://example.com:443/a",
  "spiffe://user@example.com/a",
  "spiffe://Example.com/a",
  "SPIFFE://example.com/a",
  "spiffe:/example.com/a",
  "https://example.com/a",
  " spiffe://example.com/a",
  "spiffe://example.com/a\n",
  "spiffe://example.com/\u00e4",
  "spiffe:///a",
  `spiffe://${"a".repeat(256)}/x`,
  `spiffe://a/${"x".repeat(2048)}`,
];
for (const id of bad) {
  test(`${JSON.stringify(id).slice(0, 60)} is none`, () => assert.equal(isSpiffeId(id), false));
}
