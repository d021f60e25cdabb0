import assert from "node:assert/strict";
import { test } from "node:test";
import { warningsOf, withRule } from "./parsing.ts";

const SOCKET = 'listeners: [{ address: unix:///s, mode: "0666" }]';
const OPEN_SOCKET = "8:41: listeners[0].mode: every user of this machine can open the socket";
const USER = "callers: { u: { unix: { uid: 1 } } }";

test("a socket for everybody is warned of where a rule has no allow, though users are told apart", () => {
  assert.deepEqual(warningsOf(withRule(`${SOCKET}\n${USER}`)), [OPEN_SOCKET]);
});

test("a socket for everybody is no reason for a warning where each rule asks who it is", () => {
  const rule = "    allow: [{ callers: [u] }]";
  assert.deepEqual(warningsOf(withRule(`${rule}\n${SOCKET}\n${USER}`)), []);
});

test("a socket for everybody that gives all of them one name is warned of", () => {
  const named = SOCKET.replace("unix:///s,", "unix:///s, caller: u,");
  assert.equal(warningsOf(withRule(`    allow: [{ callers: [u] }]\n${named}\n${USER}`)).length, 1);
});

test("a collector without the path of logs is warned of", () => {
  const text = withRule("audit: { file: a.jsonl, otlp: { endpoint: 'https://c.test:4318' } }");
  assert.deepEqual(warningsOf(text), [
    "8:43: audit.otlp.endpoint: has no path, and is used as it stands; collectors take logs at /v1/logs",
  ]);
});
