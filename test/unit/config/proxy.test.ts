import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { parseProxy, parseProxySetting } from "../../../src/config/proxy.ts";
import { chooseForRule, chooseNone, createProxyChoice } from "../../../src/network/choose-proxy.ts";
import { createEnvironment } from "../../fakes/token-credentials.ts";

describe("the URL of a proxy", () => {
  for (const [text, origin] of [
    ["http://proxy.test:3128", "http://proxy.test:3128"],
    ["http://proxy.test:3128/", "http://proxy.test:3128"],
    ["proxy.test:3128", "http://proxy.test:3128"],
    ["https://proxy.test", "https://proxy.test"],
    ["http://user:pass%40word@[::1]:3128", "http://[::1]:3128"],
  ] as const) {
    test(`may be ${text}`, () => {
      const proxy = parseProxy(text);
      assert.ok(typeof proxy === "object");
      assert.equal(proxy.origin, origin);
    });
  }

  test("holds user and password, decoded, for the proxy alone", () => {
    const basicOf = (text: string) => {
      const proxy = parseProxy(text);
      assert.ok(typeof proxy === "object");
      assert.doesNotMatch(JSON.stringify(proxy), /pass|dXNl/);
      return Buffer.from(proxy.authorization?.reveal().replace("Basic ", "") ?? "", "base64").toString();
    };
    assert.equal(basicOf("http://user:pass%40word@proxy.test"), "user:pass@word");
    assert.equal(basicOf("http://user:100%@proxy.test"), "user:100%");
    assert.equal(basicOf("http://user@proxy.test"), "user:");
  });

  for (const text of [
    "socks5://proxy.test",
    "http://",
    "http://proxy.test/path",
    "http://proxy.test?x",
    "ftp://p.test",
  ]) {
    test(`is not ${text}, which is not repeated`, () => {
      const problem = parseProxy(text);
      assert.ok(typeof problem === "string");
      assert.match(problem, /^expected the URL of an http or https proxy/);
      assert.doesNotMatch(problem, /p\.test|proxy\.test/);
    });
  }

  test("may be tried with any text", () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.webUrl()), (text) => {
        assert.ok(["string", "object"].includes(typeof parseProxy(text)));
      }),
    );
  });
});

describe("kms.proxy", () => {
  test("is a URL, none, or the name of a variable", () => {
    assert.deepEqual(parseProxySetting("none"), { kind: "none" });
    assert.deepEqual(parseProxySetting("env:TEAM_PROXY"), { kind: "env", variable: "TEAM_PROXY" });
    assert.deepEqual(parseProxySetting("http://proxy.test:3128"), { kind: "url", url: "http://proxy.test:3128" });
  });

  test("has no password in the config", () => {
    const problem = parseProxySetting("http://user:canary@proxy.test:3128");
    assert.match(String(problem), /^expected a URL without user and password: put it into an environment variable/);
    assert.doesNotMatch(String(problem), /canary/);
  });
});

describe("the proxy of the environment", () => {
  const chosen = (variables: Record<string, string>, url: string) =>
    createProxyChoice(createEnvironment(variables))(new URL(url))?.host;

  test("is for https alone, and never for this machine", () => {
    const variables = { HTTPS_PROXY: "http://proxy.test:1", HTTP_PROXY: "http://proxy.test:2" };
    assert.equal(chosen(variables, "https://sts.googleapis.com/v1/token"), "proxy.test:1");
    assert.equal(chosen(variables, "http://169.254.169.254/computeMetadata"), undefined);
    for (const host of ["127.0.0.1", "localhost", "[::1]"])
      assert.equal(chosen(variables, `https://${host}`), undefined);
  });

  test("is passed over where ALL_PROXY is a SOCKS proxy, which is for other programs", () => {
    assert.equal(chosen({ ALL_PROXY: "socks5://proxy.test:1" }, "https://x.test"), undefined);
    assert.equal(
      chosen({ ALL_PROXY: "socks5h://a.test:1", HTTP_PROXY: "http://b.test:2" }, "https://x.test"),
      "b.test:2",
    );
  });

  test("of a rule is missed by name where its variable is not set", () => {
    const setting = { kind: "env", variable: "TEAM_PROXY" } as const;
    assert.throws(
      () => chooseForRule(setting, new URL("https://x.test"), createEnvironment({}), chooseNone),
      /^ConfigError: TEAM_PROXY: kms\.proxy of a rule names this variable, and it is not set$/,
    );
  });

  test("is refused with the variable's name where it cannot be used, and without its value", () => {
    assert.throws(
      () => createProxyChoice(createEnvironment({ https_proxy: "socks5://user:canary@proxy.test" })),
      (error: Error) =>
        error.message.startsWith("https_proxy: expected the URL of an http") && !/canary/.test(error.message),
    );
  });
});
