import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { parseServerUrl } from "../../../src/connect/server-url.ts";

describe("the URL of a server", () => {
  for (const [text, expected] of [
    ["tls://keys.example.com:5443", { kind: "tls", host: "keys.example.com", port: 5443 }],
    ["tls://10.0.0.1:1", { kind: "tls", host: "10.0.0.1", port: 1 }],
    ["tls://[2001:db8::1]:65535", { kind: "tls", host: "2001:db8::1", port: 65535 }],
    ["tcp://127.0.0.1:5000", { kind: "local", target: "127.0.0.1:5000" }],
    ["tcp://[::1]:5000", { kind: "local", target: "[::1]:5000" }],
    ["unix:///run/keyd.sock", { kind: "local", target: "unix:///run/keyd.sock" }],
  ] as const) {
    test(`is taken as ${text}`, () => assert.deepEqual(parseServerUrl(text), { url: text, ...expected }));
  }

  for (const text of [
    "",
    "keys.example.com:5443",
    "tls://keys.example.com",
    "tls://keys.example.com:0",
    "tls://keys.example.com:65536",
    "tls://user@keys.example.com:1",
    "tls://keys.example.com:1/path",
    "tls://[nothing]:1",
    "tls://-:1",
    "https://keys.example.com:1",
    "unix:relative",
  ]) {
    test(`is refused as ${JSON.stringify(text)}, with what was expected`, () =>
      assert.equal(parseServerUrl(text), "expected tls://HOST:PORT"));
  }

  test("is refused in clear text to another machine", () => {
    assert.match(String(parseServerUrl("tcp://10.0.0.1:5000")), /clear text/);
  });

  test("never says more in a refusal than what was expected, whatever it is given", () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.string().map((rest) => `tls://${rest}`),
        ),
        (text) => {
          const parsed = parseServerUrl(text);
          if (typeof parsed === "string") assert.match(parsed, /^expected tls:\/\/HOST:PORT(: tcp:.*)?$/);
          else assert.equal(parsed.url, text);
        },
      ),
    );
  });
});
