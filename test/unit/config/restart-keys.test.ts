import assert from "node:assert/strict";
import { test } from "node:test";
import { findRestartKeys } from "../../../src/config/restart-keys.ts";
import { parse, withRule } from "./parsing.ts";

const BEFORE = withRule(`    allow: []
listeners: [{ address: unix:///a.sock, caller: me }, { address: "tcp://127.0.0.1:5000" }]
limits: { drain: 5s, maxCalls: 10 }`);

const rows: readonly (readonly [what: string, change: (text: string) => string, keys: readonly string[]])[] = [
  ["nothing", (text) => text, []],
  ["rules, sources and the bound on calls", (text) => text.replace("maxCalls: 10", "maxCalls: 20"), []],
  ["limits of callers", (text) => text.replace("maxCalls: 10", "perCaller: { callsAtOnce: 1 }"), []],
  ["the path of a socket", (text) => text.replace("/a.sock", "/b.sock"), ["listeners[0].address"]],
  ["a port", (text) => text.replace("5000", "5001"), ["listeners[1].address"]],
  ["the kind of a listener", (text) => text.replace('"tcp://127.0.0.1:5000"', "unix:///c"), ["listeners[1].address"]],
  [
    "a listener's caller and mode",
    (text) => text.replace("caller: me", 'mode: "0660"'),
    ["listeners[0].mode", "listeners[0].caller"],
  ],
  ["the number of listeners", (text) => text.replace(/, \{ address: "tcp.*?\}/, ""), ["listeners"]],
  [
    "limits of the server",
    (text) => text.replace("drain: 5s", "drain: 6s, connectionIdle: 1m, maxConnections: 7, handshake: 4s"),
    ["limits.maxConnections", "limits.handshake", "limits.connectionIdle", "limits.drain"],
  ],
];

for (const [what, change, keys] of rows) {
  test(`a change of ${what} needs a restart for ${keys.join(", ") || "nothing"}`, () => {
    const after = change(BEFORE);
    assert.equal(after === BEFORE, what === "nothing");
    assert.deepEqual(findRestartKeys(parse(BEFORE), parse(after)), keys);
  });
}
