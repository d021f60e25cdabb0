import assert from "node:assert/strict";
import { test } from "node:test";
import { issuesOf, parse, warningsOf, withRule } from "./parsing.ts";

const FILES = "certificate: t.crt, privateKey: t.key";
const listening = (tls: string, address = "tcp://0.0.0.0:1") =>
  withRule(`    allow: []\nlisteners: [{ address: "${address}", tls: ${tls} }]`);

test("a listener with tls may be reached by other machines, and its paths are relative to the config", () => {
  const [listener] = parse(listening(`{ ${FILES}, clientCa: ca.crt }`)).listeners;
  assert.deepEqual(listener?.kind === "tcp" && listener.tls, {
    certificate: "/etc/sops-keyd/t.crt",
    privateKey: "/etc/sops-keyd/t.key",
    clientCa: "/etc/sops-keyd/ca.crt",
    clientCertificate: "required",
  });
  const [other] = parse(listening(`{ ${FILES} }`)).listeners;
  assert.equal(other?.kind === "tcp" && other.tls?.clientCertificate, "none");
});

const errors: readonly (readonly [what: string, text: string, expected: RegExp])[] = [
  [
    "tls without a key",
    listening("{ certificate: t.crt }"),
    /tls\.privateKey: is missing, expected the path of a file/,
  ],
  ["tls on a unix socket", listening(`{ ${FILES} }`, "unix:///s"), /tls: a unix socket never leaves the machine/],
  ["a required certificate of no CA", listening(`{ ${FILES}, clientCertificate: required }`), /needs clientCa/],
  [
    "clear text beside tls",
    listening(`{ ${FILES} }, insecure: true`),
    /insecure: this listener has tls, and takes no clear text/,
  ],
  [
    "a rule for everybody beside a listener with tls",
    listening(`{ ${FILES} }`).replace("    allow: []\n", ""),
    /allow: is missing, and other machines can reach listeners\[0\]/,
  ],
];
for (const [what, text, expected] of errors) {
  test(`${what} is an error`, () => assert.match(issuesOf(text).join("\n"), expected));
}

test("a caller that no listener lets prove itself is warned of", () => {
  const callers = "callers: { a: { unix: { uid: 1 } }, b: { dns: b.example.com } }";
  const [a, b, ...others] = warningsOf(`${listening(`{ ${FILES} }`)}\n${callers}`);
  assert.match(a ?? "", /callers\.a: nobody can be this caller: there is no unix listener$/);
  assert.match(b ?? "", /callers\.b: nobody can be this caller: no listener has tls with clientCa$/);
  assert.deepEqual(others, []);
});
