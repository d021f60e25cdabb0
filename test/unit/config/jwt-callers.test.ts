import assert from "node:assert/strict";
import { test } from "node:test";
import { JWT_ALGORITHMS } from "../../../src/config/jwt-caller.ts";
import { issuesOf, parse, warningsOf, withRule } from "./parsing.ts";

const withJwt = (lines: string) => withRule(`callers:\n  ci:\n    jwt:\n${lines}`);
const GOOD = `      issuer: https://token.actions.githubusercontent.com
      audience: sops-keyd
      claims: { repository_id: "123" }
`;

test("a caller by JWT takes every algorithm with a public key, for a day, with the keys that its issuer publishes", () => {
  assert.deepEqual(parse(withJwt(GOOD)).callers.get("ci"), {
    kind: "jwt",
    issuer: "https://token.actions.githubusercontent.com",
    audience: "sops-keyd",
    claims: new Map([["repository_id", ["123"]]]),
    algorithms: JWT_ALGORITHMS,
    keys: { kind: "discovery", caFile: undefined, tokenFile: undefined },
    maxAgeMs: 86_400_000,
  });
});

test("claims may be numbers, truth and lists; files are relative to the config", () => {
  const { callers } = parse(
    withJwt(`      issuer: kubernetes/serviceaccount
      audience: sops-keyd
      claims: { sub: ["a", "b*"], run: 7, ref_protected: true }
      keys: keys.json
      algorithms: [ES256]
      maxAge: 10m`),
  );
  const ci = callers.get("ci");
  assert.ok(ci?.kind === "jwt");
  assert.deepEqual(
    [...ci.claims],
    [
      ["sub", ["a", "b*"]],
      ["run", [7]],
      ["ref_protected", [true]],
    ],
  );
  assert.deepEqual(ci.keys, { kind: "file", path: "/etc/sops-keyd/keys.json" });
  assert.deepEqual([ci.algorithms, ci.maxAgeMs], [["ES256"], 600_000]);
  assert.throws(() => (ci.claims as Map<string, unknown>).set("x", 1), /cannot be changed/);
});

const errors: readonly (readonly [what: string, lines: string, expected: readonly string[]])[] = [
  [
    "an issuer without a URL, whose keys nobody says,",
    GOOD.replace("https://token.actions.githubusercontent.com", "kubernetes"),
    [
      "11:15: callers.ci.jwt.issuer: expected a URL such as https://cloudkms.googleapis.com; or give its keys as a file",
    ],
  ],
  [
    "clear text to an issuer elsewhere",
    GOOD.replace("https:", "http:"),
    [
      "11:15: callers.ci.jwt.issuer: expected an https URL (plain http goes to loopback only); or give its keys as a file",
    ],
  ],
  [
    "a caller of no claims",
    GOOD.replace('{ repository_id: "123" }', "{}"),
    [
      "13:15: callers.ci.jwt.claims: expected at least one claim; without any, everybody who gets a token of this issuer would be this caller",
    ],
  ],
  [
    "a shared key",
    `${GOOD}      algorithms: [HS256]`,
    [
      "14:20: callers.ci.jwt.algorithms[0]: expected one of RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512, EdDSA, Ed25519",
    ],
  ],
  [
    "no signature",
    `${GOOD}      algorithms: [none]`,
    [
      "14:20: callers.ci.jwt.algorithms[0]: expected one of RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512, EdDSA, Ed25519",
    ],
  ],
  [
    "a CA for keys from a file",
    `${GOOD}      keys: k.json\n      caFile: ca.pem`,
    ["15:7: callers.ci.jwt.caFile: is for keys that are fetched, and keys is a file"],
  ],
  [
    "a number that JSON would round",
    GOOD.replace('"123"', "9007199254740993"),
    ["13:32: callers.ci.jwt.claims.repository_id: expected text, a whole number, true or false"],
  ],
];

for (const [what, lines, expected] of errors) {
  test(`${what} is an error`, () => assert.deepEqual(issuesOf(withJwt(lines)), expected));
}

test("claims that everybody has are warned of", () => {
  assert.deepEqual(warningsOf(withJwt(GOOD.replace('"123"', '"*"'))), [
    "13:15: callers.ci.jwt.claims: everybody who gets a token of this issuer for this audience is this caller",
  ]);
});

test("tokens that would cross a network in clear text are warned of", () => {
  const open = `${withJwt(GOOD).replace("tokenSource: a\n", "tokenSource: a\n    allow: [{ callers: [ci] }]\n")}listeners: [{ address: "tcp://0.0.0.0:5000", insecure: true }]`;
  assert.deepEqual(warningsOf(open), [
    "15:46: listeners[0].insecure: callers that are known by a JWT send it in clear text here: whoever sees it can use it",
  ]);
  assert.deepEqual(warningsOf(open.replace('0.0.0.0:5000", insecure: true', '127.0.0.1:5000"')), []);
});

const withCallerToken = (source: string, callers: string) => `version: 1
callers:
  ${callers}
tokenSources:
  a: { type: external_account, file: f, subjectToken: { from: caller }${source} }
rules: [{ name: r, match: projects/p/locations/l/keyRings/r/cryptoKeys/k, tokenSource: a }]`;
const CI = 'ci: { jwt: { issuer: "https://x.example", audience: a, claims: { sub: s } } }';

test("a caller's own token may be what is exchanged", () => {
  const source = parse(withCallerToken("", CI)).tokenSources.get("a");
  assert.ok(source?.type === "external_account");
  assert.equal(source.subjectTokenFrom, "caller");
  assert.deepEqual(warningsOf(withCallerToken("", CI)), []);
});

test("to exchange what callers bring is warned of where no caller brings anything", () => {
  assert.deepEqual(warningsOf(withCallerToken("", "me: { unix: { uid: 1 } }")), [
    "5:41: tokenSources.a.subjectToken: no caller of the config is known by a JWT, so nobody brings one",
  ]);
});

test("what is for other subject tokens is an error beside it", () => {
  assert.deepEqual(issuesOf(withCallerToken(", allowExecutable: true, subjectTokenHosts: [a.example]", CI)), [
    "5:73: tokenSources.a.allowExecutable: has no effect with subjectToken: the caller brings it; take one out",
    "5:96: tokenSources.a.subjectTokenHosts: has no effect with subjectToken: the caller brings it; take one out",
  ]);
  assert.deepEqual(issuesOf(withCallerToken("", CI).replace("from: caller", "from: me")), [
    "5:63: tokenSources.a.subjectToken.from: expected caller",
  ]);
});
