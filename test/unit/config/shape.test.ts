import assert from "node:assert/strict";
import { test } from "node:test";
import { issuesOf, withRule } from "./parsing.ts";

test("every error is told at once, each with its line, column and key", () => {
  const text = `version: 2
listeners:
  - address: 127.0.0.1:5000
tokenSources:
  a: { type: servce_account, file: a.json }
rules:
  - name: r
    match: projects/p
    tokenSources: a
limit: {}
`;
  assert.deepEqual(issuesOf(text), [
    "1:10: version: expected 1",
    "3:14: listeners[0].address: expected unix:///absolute/path or tcp://ADDRESS:PORT",
    "5:14: tokenSources.a.type: expected one of default, access_token, service_account, authorized_user, external_account, impersonated_service_account, metadata, exec, module, gdch_service_account, external_account_authorized_user, did you mean service_account?",
    "7:5: rules[0].tokenSource: is missing, expected the name of a token source or a list of 1 to 8",
    "8:12: rules[0].match: expected 8 segments as in projects/PROJECT/locations/LOCATION/keyRings/RING/cryptoKeys/KEY, found 2",
    "9:5: rules[0].tokenSources: unknown key, did you mean tokenSource?",
    "10:1: limit: unknown key, did you mean limits?",
  ]);
});

test("what is wrong beyond the shape is told along with what is wrong with the shape", () => {
  const text = `${withRule("    kms: { deadline: 10 }")}
  - name: s
    match: projects/q/locations/global/keyRings/r/cryptoKeys/k
    tokenSource: b
`;
  assert.deepEqual(issuesOf(text), [
    "8:22: rules[0].kms.deadline: expected a duration from 100ms to 10m, such as 500ms, 10s, 10m or 1h",
    "11:18: rules[1].tokenSource: no token source has this name, did you mean a?",
  ]);
});

const single: readonly (readonly [what: string, text: string, expected: string])[] = [
  [
    "an unquoted mode",
    withRule("listeners: [{ address: unix:///s, mode: 0600 }]"),
    '8:41: listeners[0].mode: expected octal digits in quotes, such as "0600"',
  ],
  [
    "a duration without a unit",
    withRule("limits: { drain: 10 }"),
    "8:18: limits.drain: expected a duration from 0s to 1h, such as 500ms, 10s, 10m or 1h",
  ],
  [
    "a duration out of bounds",
    withRule("    kms: { deadline: 11m }"),
    "8:22: rules[0].kms.deadline: expected a duration from 100ms to 10m, such as 500ms, 10s, 10m or 1h",
  ],
  [
    "a fraction",
    withRule("limits: { maxConnections: 1.5 }"),
    "8:27: limits.maxConnections: expected a whole number from 1 to 65535",
  ],
  [
    "a number out of bounds",
    withRule("limits: { maxMessageBytes: 1 }"),
    "8:28: limits.maxMessageBytes: expected a whole number of bytes from 1024 to 4194304",
  ],
  ["a list in place of a mapping", withRule("google: []"), "8:9: google: expected a mapping (key: value lines)"],
  ["an empty section", withRule("google:"), "8:8: google: expected a mapping (key: value lines)"],
  [
    "a flag in quotes",
    withRule('listeners: [{ address: "tcp://[::1]:1", insecure: "true" }]'),
    "8:51: listeners[0].insecure: expected true or false",
  ],
  [
    "an unknown key without a near one",
    withRule("    zzz: 1"),
    "8:5: rules[0].zzz: unknown key; known are name, match, tokenSource, allow, deny, approve, limits, kms, cache",
  ],
  [
    "a name in snake case",
    withRule("    kms: { attempt_timeout: 1s }"),
    "8:12: rules[0].kms.attempt_timeout: unknown key, did you mean attemptTimeout?",
  ],
  [
    "a bad operation",
    withRule("    allow: [{ operations: [decript] }]"),
    "8:28: rules[0].allow[0].operations[0]: expected encrypt or decrypt",
  ],
  [
    "a bad name of a token source",
    "version: 1\ntokenSources:\n  a b: { type: default }",
    "3:3: tokenSources.(a key): expected a name of at most 63 letters, digits and . _ - (first a letter or digit)",
  ],
  [
    "a text in place of a token source",
    "version: 1\ntokenSources: { a: b }",
    "2:20: tokenSources.a: expected a mapping with a type (key: value lines)",
  ],
  ...["https://ci.example.com", "*", "*.com", "ci.example.com:443", "CI.example.com"].map(
    (host) =>
      [
        `a host for subject tokens of the form ${host}`,
        `version: 1\ntokenSources: { a: { type: external_account, file: f, subjectTokenHosts: ["${host}"] } }`,
        "2:75: tokenSources.a.subjectTokenHosts[0]: expected the name of a host such as example.com or *.example.com",
      ] as const,
  ),
  [
    "a missing type",
    "version: 1\ntokenSources: { a: {} }",
    "2:17: tokenSources.a.type: is missing, expected one of default, access_token, service_account, authorized_user, external_account, impersonated_service_account, metadata, exec, module, gdch_service_account, external_account_authorized_user",
  ],
  ["a list at the top", "- version: 1", "1:1: expected a mapping (key: value lines)"],
  [
    "an empty chain",
    withRule("").replace("tokenSource: a", "tokenSource: []"),
    "7:18: rules[0].tokenSource: expected a list of 1 to 8 names of token sources",
  ],
];

for (const [what, text, expected] of single) {
  test(`${what} is an error that says what was expected`, () => assert.deepEqual(issuesOf(text), [expected]));
}

const unbuilt: readonly (readonly [what: string, text: string, place: string])[] = [
  ["admin", withRule("admin: {}"), "8:1: admin"],
];

for (const [what, text, place] of unbuilt) {
  test(`${what} is refused as what this version does not have, rather than passed over`, () => {
    assert.deepEqual(issuesOf(text), [
      `${place}: this version of sops-keyd does not have \`${what}\`; take it out, or use a version that has it`,
    ]);
  });
}
