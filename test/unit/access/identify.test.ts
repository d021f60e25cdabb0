import assert from "node:assert/strict";
import { test } from "node:test";
import type { Caller, Proof } from "../../../src/access/caller.ts";
import { createIdentify } from "../../../src/access/identify.ts";
import { parse, withRule } from "../config/parsing.ts";

const PIN = `${"A".repeat(43)}=`;
const { callers } = parse(
  withRule(`callers:
  operator: { unix: { uid: 1000 } }
  staff: { unix: { gid: 50 } }
  both: { unix: { uid: 1000, gid: 50 } }
  root: { unix: { uid: 0 } }
  flux: { spiffe: "spiffe://cluster.local/ns/flux/sa/controller" }
  gitops: { spiffe: "spiffe://cluster.local/ns/flux/sa/controller" }
  build: { dns: build.example.com }
  pinned: { publicKey: "sha256//${PIN}" }
`),
);
const identify = createIdentify(callers);

function namesOf(...proofs: readonly Proof[]): readonly string[] {
  const caller: Caller = { listener: "unix:///s", names: [], proofs };
  return identify(caller).names.toSorted();
}

const peer = (uid: number, gid: number): Proof => ({ kind: "unix_peer", uid, gid, pid: 7 });
const certificate = (change: Partial<Extract<Proof, { kind: "certificate" }>>): Proof => ({
  kind: "certificate",
  spiffeId: undefined,
  dnsNames: [],
  publicKeySha256: "",
  ...change,
});

test("a process has the names of its uid, of its gid, and of both together", () => {
  assert.deepEqual(namesOf(peer(1000, 50)), ["both", "operator", "staff"]);
  assert.deepEqual(namesOf(peer(1000, 51)), ["operator"]);
  assert.deepEqual(namesOf(peer(1001, 50)), ["staff"]);
  assert.deepEqual(namesOf(peer(1001, 51)), []);
  assert.deepEqual(namesOf(peer(0, 0)), ["root"]);
});

test("a certificate has the names of its SPIFFE id, its DNS names and its key", () => {
  assert.deepEqual(namesOf(certificate({ spiffeId: "spiffe://cluster.local/ns/flux/sa/controller" })), [
    "flux",
    "gitops",
  ]);
  assert.deepEqual(namesOf(certificate({ dnsNames: ["a.example.com", "build.example.com"] })), ["build"]);
  assert.deepEqual(namesOf(certificate({ publicKeySha256: PIN })), ["pinned"]);
  assert.deepEqual(namesOf(certificate({ spiffeId: "spiffe://cluster.local/ns/flux/sa/other" })), []);
});

test("a fact of one kind is not taken for one of another", () => {
  assert.deepEqual(namesOf(certificate({ dnsNames: ["uid 1000 gid any", `key ${PIN}`, "spiffe x"] })), []);
});

test("names of the listener and of other proofs come together, each once", () => {
  assert.deepEqual(namesOf({ kind: "listener", caller: "operator" }, peer(1000, 1)), ["operator"]);
  assert.deepEqual(namesOf({ kind: "listener", caller: "team-a" }, peer(1000, 1)), ["operator", "team-a"]);
  assert.deepEqual(namesOf({ kind: "listener", caller: undefined }), []);
});

test("names that a caller brought along without a proof are dropped", () => {
  assert.deepEqual(identify({ listener: "unix:///s", names: ["operator"], proofs: [] }).names, []);
});
