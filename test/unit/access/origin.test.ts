import assert from "node:assert/strict";
import { test } from "node:test";
import { findOrigin } from "../../../src/access/origin.ts";
import { parse, withRule } from "../config/parsing.ts";

const config = parse(
  withRule(`    allow: []
listeners:
  - { address: unix:///run/a.sock, caller: team-a }
  - { address: unix:///run/b.sock }
  - { address: "tcp://127.0.0.1:5001" }
  - { address: "tcp://127.0.0.1:5000", caller: loopback, tls: { certificate: c, privateKey: k, clientCa: a } }
callers:
  operator: { unix: { uid: 1000 } }
  also-1000: { unix: { uid: 1000 } }
  staff: { unix: { gid: 50 } }
  team-a: { spiffe: "spiffe://example.com/team-a" }
  build: { dns: build.example.com }
`),
);

test("a caller of a listener comes by that listener", () => {
  const { caller, isLocal, notes } = findOrigin(config, "team-a");
  assert.deepEqual(caller.names, ["team-a"]);
  assert.equal(caller.listener, "unix:///run/a.sock");
  assert.deepEqual([isLocal, notes], [true, []]);
});

test("a caller that proves who it is comes by the first listener where it can, with all names that fit", () => {
  const { caller, notes } = findOrigin(config, "operator");
  assert.equal(caller.listener, "unix:///run/a.sock");
  assert.deepEqual(caller.names, ["team-a", "operator", "also-1000"]);
  assert.deepEqual(notes, []);
  assert.deepEqual(findOrigin(config, "staff").caller.names, ["team-a", "staff"]);
  assert.deepEqual(findOrigin(config, "build").caller.names, ["loopback", "build"]);
});

test("a caller that no listener lets prove itself is told so", () => {
  const { caller, isLocal, notes } = findOrigin({ ...config, listeners: [] }, "build");
  assert.deepEqual(caller.names, ["build"]);
  assert.equal(isLocal, false);
  assert.deepEqual(notes, ["no listener of the config lets build prove who it is"]);
});

test("a name that the config does not have is told", () => {
  const { caller, notes } = findOrigin(config, "mallory");
  assert.deepEqual(caller.names, ["mallory"]);
  assert.deepEqual(notes, ["neither a listener nor callers of the config has the name mallory"]);
});

test("a process comes by the first socket, with the names of its user and group", () => {
  const { caller, notes } = findOrigin(config, { uid: 1000, gid: 50 });
  assert.equal(caller.listener, "unix:///run/a.sock");
  assert.deepEqual(caller.names, ["team-a", "operator", "also-1000", "staff"]);
  assert.deepEqual(notes, []);
  assert.deepEqual(findOrigin(config, { uid: 1001, gid: undefined }).caller.names, ["team-a"]);
  const { caller: elsewhere, notes: told } = findOrigin({ ...config, listeners: [] }, { uid: undefined, gid: 50 });
  assert.deepEqual(elsewhere.names, ["staff"]);
  assert.deepEqual(told, ["no listener of the config is a unix socket"]);
});
