import assert from "node:assert/strict";
import { test } from "node:test";
import { errorOf, issuesOf, parse, warningsOf, withRule } from "./parsing.ts";

const ANY = "locations/*/keyRings/*/cryptoKeys/*";
const TARGET = "target: sa@p.iam.gserviceaccount.com";

function withSources(lines: string): string {
  return withRule("").replace("  a: { type: default }", `  a: { type: default }\n${lines}`);
}

function messagesOf(text: string): readonly string[] {
  return errorOf(text).issues.map(({ path, message }) => `${path}: ${message}`);
}

const errors: readonly (readonly [what: string, text: string, expected: string])[] = [
  [
    "a clear-text listener for other machines",
    withRule('    allow: []\nlisteners: [{ address: "tcp://0.0.0.0:1" }]'),
    "listeners[0].address: other machines can reach this address, and it has no tls; give it tls, listen on loopback, or say insecure: true",
  ],
  [
    "a clear-text listener on all IPv6 addresses",
    withRule('    allow: []\nlisteners: [{ address: "tcp://[::]:1" }]'),
    "listeners[0].address: other machines can reach this address, and it has no tls; give it tls, listen on loopback, or say insecure: true",
  ],
  [
    "a rule for everybody beside an open listener",
    withRule('listeners: [{ address: "tcp://0.0.0.0:1", insecure: true }]'),
    "rules[0].allow: is missing, and other machines can reach listeners[0]; say who may use this rule",
  ],
  [
    "a mode on tcp",
    withRule('listeners: [{ address: "tcp://127.0.0.1:1", mode: "0600" }]'),
    "listeners[0].mode: only a unix socket has this",
  ],
  [
    "insecure on a socket",
    withRule("listeners: [{ address: unix:///s, insecure: false }]"),
    "listeners[0].insecure: a unix socket never leaves the machine; take this out",
  ],
  [
    "the same address twice",
    withRule('listeners: [{ address: "tcp://[::1]:1" }, { address: "tcp://[0:0::1]:1" }]'),
    "listeners[1].address: listeners[0] has the same address",
  ],
  [
    "a caller that has no name in the config",
    withRule("    allow: [{ callers: [team-a] }]"),
    "rules[0].allow[0].callers[0]: neither a listener nor callers has this name",
  ],
  [
    "a cache that outlives a revocation for long, without a word that this is accepted",
    withRule("    cache: { ttl: 61s }"),
    "rules[0].cache.ttl: more than 1m: for so long a permission taken away in Cloud KMS still serves here; write acceptLateRevocation: true beside it, or less",
  ],
  [
    "an endpoint with a path for gRPC",
    withRule("    kms: { transport: grpc, endpoint: https://kms.example.com/base }"),
    "rules[0].kms.endpoint: has a path, and transport grpc has no use for one; take it out",
  ],
  [
    "gRPC to all rules' endpoint, which has a path",
    withRule("    kms: { transport: grpc }\ngoogle: { endpoints: { kms: https://kms.example.com/base } }"),
    "rules[0].kms.transport: grpc has no use for the path in google.endpoints.kms; set endpoint",
  ],
  [
    "an entry of allow that says nothing",
    withRule("    allow: [{}]"),
    "rules[0].allow[0]: expected callers, operations or match; an empty entry would allow everything",
  ],
  [
    "an entry of deny that says nothing",
    withRule("    deny: [{}]"),
    "rules[0].deny[0]: expected callers, operations or match; an empty entry would refuse everything",
  ],
  ["an approval by nobody", withRule("    approve: {}"), "rules[0].approve: expected either command or prompt"],
  [
    "an approval by two",
    withRule("    approve: { command: [ask], prompt: terminal }"),
    "rules[0].approve: expected either command or prompt",
  ],
  [
    "an approval by a relative path",
    withRule("    approve: { command: [bin/ask] }"),
    "rules[0].approve.command[0]: expected an absolute path, or the name of a program on PATH",
  ],
  [
    "a prompt with an environment",
    withRule("    approve: { prompt: terminal, env: [HOME] }"),
    "rules[0].approve.env: only a command has this",
  ],
  [
    "a limit that limits nothing",
    withRule("limits: { perCaller: {} }"),
    "limits.perCaller: expected callsPerSecond, callsAtOnce or both",
  ],
  [
    "a burst without a rate",
    withRule("    limits: { perCaller: { burst: 3 } }"),
    "rules[0].limits.perCaller.burst: limits nothing without callsPerSecond",
  ],
  [
    "limits of nobody that is known",
    withRule("limits: { callers: { team-a: { callsAtOnce: 1 } } }"),
    "limits.callers.team-a: neither a listener nor callers has this name",
  ],
  [
    "a rate of nothing",
    withRule("limits: { perCaller: { callsPerSecond: 0 } }"),
    "limits.perCaller.callsPerSecond: expected a number from 0.001 to 100000",
  ],
  [
    "a deny of nobody that is known",
    withRule("deny: [{ callers: [team-a] }]"),
    "deny[0].callers[0]: neither a listener nor callers has this name",
  ],
  [
    "a deny in a rule for keys that are another's",
    withRule(`    deny: [{ match: projects/q/${ANY} }]`),
    "rules[0].deny[0].match: no key of this rule fits it",
  ],
  [
    "an unknown token source",
    withRule("").replace("tokenSource: a", "tokenSource: [a, b]"),
    "rules[0].tokenSource[1]: no token source has this name, did you mean a?",
  ],
  [
    "a token source twice in a chain",
    withRule("").replace("tokenSource: a", "tokenSource: [a, a]"),
    "rules[0].tokenSource[1]: is in this chain already",
  ],
  [
    "a credential without a place",
    withSources("  b: { type: service_account }"),
    "tokenSources.b: expected file or env, to say where it lies",
  ],
  [
    "a credential with two places",
    withSources("  b: { type: access_token, file: x, env: X }"),
    "tokenSources.b: expected either file or env, not both",
  ],
  [
    "an impersonation of nobody",
    withSources("  b: { type: impersonated_service_account, source: a }"),
    "tokenSources.b.target: is missing, expected the service account to become",
  ],
  [
    "an impersonation by nobody",
    withSources(`  b: { type: impersonated_service_account, ${TARGET} }`),
    "tokenSources.b.source: is missing, expected the token source that impersonates",
  ],
  [
    "an impersonation of nothing",
    withSources("  b: { type: impersonated_service_account }"),
    "tokenSources.b: expected source and target, or a credential by file or env",
  ],
  [
    "an impersonation of both kinds",
    withSources("  b: { type: impersonated_service_account, file: x, lifetime: 10m }"),
    "tokenSources.b.lifetime: the file or variable brings this along; take one out",
  ],
  [
    "an unknown source of an impersonation",
    withSources(`  b: { type: impersonated_service_account, source: aa, ${TARGET} }`),
    "tokenSources.b.source: no token source has this name, did you mean a?",
  ],
  [
    "an impersonation of itself",
    withSources(`  b: { type: impersonated_service_account, source: b, ${TARGET} }`),
    "tokenSources.b.source: impersonates itself: b → b",
  ],
  [
    "a try longer than the call",
    withRule("    kms: { deadline: 1s, attemptTimeout: 2s }"),
    "rules[0].kms.attemptTimeout: is longer than the deadline of the whole call",
  ],
  [
    "a try longer than the default of the call",
    withRule("    kms: { attemptTimeout: 11s }"),
    "rules[0].kms.attemptTimeout: is longer than the deadline of the whole call",
  ],
  [
    "an endpoint of another region",
    withRule('    kms: { endpoint: "https://cloudkms.europe-west1.rep.googleapis.com" }'),
    "rules[0].kms.endpoint: serves keys in europe-west1 only, and no key of this rule lies there",
  ],
  [
    "plain http to another machine",
    withRule("google: { endpoints: { sts: http://10.0.0.1 } }"),
    "google.endpoints.sts: expected an https URL (plain http goes to loopback only)",
  ],
];

for (const [what, text, expected] of errors) {
  test(`${what} is an error`, () => assert.deepEqual(messagesOf(text), [expected]));
}

test("a circle of impersonations is told once, with the way round", () => {
  const text = withSources(`  b: { type: impersonated_service_account, source: d, ${TARGET} }
  c: { type: impersonated_service_account, source: b, ${TARGET} }
  d: { type: impersonated_service_account, source: c, ${TARGET} }`);
  assert.deepEqual(messagesOf(text), ["tokenSources.b.source: impersonates itself: b → d → c → b"]);
});

test("two rules with one name are an error at the second", () => {
  const rule = `  - { name: r, match: "projects/q/${ANY}", tokenSource: a }`;
  assert.deepEqual(issuesOf(withRule(rule)), ["8:13: rules[1].name: rules[0] has the same name"]);
});

test("the callers of a listener that is wrong otherwise are known, so that one error does not make another", () => {
  const text = withRule("    allow: [{ callers: [team-a] }]\nlisteners: [{ address: nowhere, caller: team-a }]");
  assert.deepEqual(messagesOf(text), ["listeners[0].address: expected unix:///absolute/path or tcp://ADDRESS:PORT"]);
});

test("two listeners on port 0 are two", () => {
  assert.equal(
    parse(withRule('listeners: [{ address: "tcp://[::1]:0" }, { address: "tcp://[::1]:0" }]')).listeners.length,
    2,
  );
});

const warnings: readonly (readonly [what: string, text: string, expected: readonly string[]])[] = [
  [
    "a token source that no rule uses",
    withSources("  b: { type: metadata }"),
    ["4:3: tokenSources.b: no rule uses this token source"],
  ],
  [
    "a rule behind one that covers it",
    withRule(`  - { name: s, match: "projects/p/locations/global/keyRings/r/cryptoKeys/k", tokenSource: a }`),
    ["8:23: rules[1].match: never decides: rules[0] (r) matches all of these keys before it"],
  ],
  [
    "a regional endpoint for all locations",
    withRule('    kms: { endpoint: "https://cloudkms.us-east1.rep.googleapis.com" }').replace(
      "locations/global",
      "locations/us-*",
    ),
    [
      "8:22: rules[0].kms.endpoint: serves keys in us-east1 only; write locations/us-east1 in match, since others will fail",
    ],
  ],
  [
    "a socket for everybody",
    withRule('listeners: [{ address: unix:///s, mode: "0666" }]'),
    ["8:41: listeners[0].mode: every user of this machine can open the socket"],
  ],
  [
    "insecure on loopback",
    withRule('listeners: [{ address: "tcp://127.0.0.1:1", insecure: true }]'),
    ["8:45: listeners[0].insecure: this has no effect on a loopback address"],
  ],
  [
    "a universe beside an endpoint",
    withRule('    kms: { endpoint: "https://kms.example.com", universeDomain: example.com }'),
    ["8:49: rules[0].kms.universeDomain: has no effect beside endpoint"],
  ],
  [
    "nothing odd",
    withSources(`  b: { type: impersonated_service_account, source: a, ${TARGET} }`).replace(
      "tokenSource: a",
      "tokenSource: b",
    ),
    [],
  ],
];

for (const [what, text, expected] of warnings) {
  test(`${what} makes ${expected.length} warnings and no error`, () => assert.deepEqual(warningsOf(text), expected));
}

test("a thousand warnings do not keep an error from being found", () => {
  const unused = Array.from({ length: 1500 }, (_, index) => `  unused-${index}: { type: default }`).join("\n");
  const text = withSources(unused).replace("tokenSource: a", "tokenSource: nothing-like-it");
  assert.deepEqual(messagesOf(text), ["rules[0].tokenSource: no token source has this name"]);
});

test("tens of thousands of unknown names are told in good time", () => {
  const names = Array.from({ length: 900 }, () => "zbcdefghijklmnopqrstuvwxyz-abcdefghijkl").join(", ");
  const entries = Array.from({ length: 20 }, () => `{ callers: [${names}] }`).join(", ");
  const listeners = Array.from(
    { length: 100 },
    (_, n) => `{ address: unix:///s${n}, caller: abcdefghijklmnopqrstuvwxyz-abcdefg${n} }`,
  );
  const before = performance.now();
  assert.equal(errorOf(withRule(`    allow: [${entries}]\nlisteners: [${listeners.join(", ")}]`)).issues.length, 100);
  assert.ok(performance.now() - before < 30_000);
});
