import assert from "node:assert/strict";
import { test } from "node:test";
import { issuesOf, parse, warningsOf, withRule } from "./parsing.ts";

const withCaller = (caller: string) => withRule(`callers:\n  me: ${caller}`);
const PIN = `${"A".repeat(43)}=`;

test("each way to prove an identity becomes a caller of its kind", () => {
  const { callers } = parse(
    withRule(`callers:
  operator: { unix: { uid: 1000 } }
  staff: { unix: { uid: alice, gid: staff } }
  flux: { spiffe: "spiffe://cluster.local/ns/flux/sa/controller" }
  build: { dns: build.example.com }
  pinned: { publicKey: "sha256//${PIN}" }`),
  );
  assert.deepEqual(Object.fromEntries(callers), {
    operator: { kind: "unix", uid: 1000, gid: undefined },
    staff: { kind: "unix", uid: "alice", gid: "staff" },
    flux: { kind: "spiffe", spiffeId: "spiffe://cluster.local/ns/flux/sa/controller" },
    build: { kind: "dns", name: "build.example.com" },
    pinned: { kind: "public_key", publicKeySha256: PIN },
  });
  assert.throws(() => (callers as Map<string, unknown>).set("x", 1), /cannot be changed/);
});

test("a name of callers is one that allow may use", () => {
  const text = withRule("    allow: [{ callers: [me] }]\ncallers: { me: { unix: { uid: 1 } } }");
  assert.deepEqual(warningsOf(text), []);
  assert.deepEqual(issuesOf(text.replace("[me]", "[mee]")), [
    "8:25: rules[0].allow[0].callers[0]: neither a listener nor callers has this name, did you mean me?",
  ]);
});

test("the name of a caller that is wrong otherwise is known, so that one error does not make another", () => {
  const text = withRule("    allow: [{ callers: [me] }]\ncallers: { me: { spiffe: nonsense } }");
  assert.deepEqual(issuesOf(text), [
    "9:26: callers.me.spiffe: expected the SPIFFE id of a workload, as in spiffe://example.com/ns/team-a/sa/flux",
  ]);
});

const SPIFFE = "expected the SPIFFE id of a workload, as in spiffe://example.com/ns/team-a/sa/flux";
const DNS = "expected a DNS name in lower case, without a star";
const KEY = "expected a pin of the form sha256//BASE64, the SHA-256 of the public key";

const errors: readonly (readonly [what: string, caller: string, expected: string])[] = [
  [
    "a caller without a proof",
    "{}",
    "9:3: callers.me: expected one of unix, spiffe, dns, publicKey, jwt, to say what proves it",
  ],
  [
    "a caller with two proofs",
    "{ dns: a.example, unix: { uid: 1 } }",
    "9:9: callers.me.dns: unix proves it already; make this a caller of its own",
  ],
  [
    "a process of any user and group",
    "{ unix: {} }",
    "9:15: callers.me.unix: expected uid, gid or both; an empty entry would be every process",
  ],
  [
    "a negative uid",
    "{ unix: { uid: -1 } }",
    "9:22: callers.me.unix.uid: expected a whole number from 0 to 4294967294",
  ],
  [
    "a group of strange letters",
    '{ unix: { gid: "a b" } }',
    "9:22: callers.me.unix.gid: expected the name or number of a group",
  ],
  ["a trust domain alone", '{ spiffe: "spiffe://example.com" }', `9:17: callers.me.spiffe: ${SPIFFE}`],
  ["a star in a SPIFFE id", '{ spiffe: "spiffe://example.com/ns/*" }', `9:17: callers.me.spiffe: ${SPIFFE}`],
  ["a star in a DNS name", '{ dns: "*.example.com" }', `9:14: callers.me.dns: ${DNS}`],
  ["a DNS name in capitals", "{ dns: Build.example.com }", `9:14: callers.me.dns: ${DNS}`],
  ["a pin without its kind", `{ publicKey: "${PIN}" }`, `9:20: callers.me.publicKey: ${KEY}`],
  ["a pin in hex", '{ publicKey: "sha256//00ff" }', `9:20: callers.me.publicKey: ${KEY}`],
];

for (const [what, caller, expected] of errors) {
  test(`${what} is an error`, () => assert.deepEqual(issuesOf(withCaller(caller)), [expected]));
}

test("the account that stands for all which a container does not map is warned of", () => {
  assert.deepEqual(warningsOf(withCaller("{ unix: { uid: 65534 } }")), [
    "9:22: callers.me.unix.uid: in a container this may be any account that it does not map",
  ]);
});
