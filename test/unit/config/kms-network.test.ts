import assert from "node:assert/strict";
import { test } from "node:test";
import { issuesOf, parse, withRule } from "./parsing.ts";

const kms = (lines: string) => withRule(`    kms: { ${lines} }`);

test("a rule's proxy is a URL, a variable or none, and by default what the environment says", () => {
  const proxyOf = (text: string) => parse(text).rules[0]?.kms.proxy;
  assert.equal(proxyOf(kms("deadline: 5s")), undefined);
  assert.deepEqual(proxyOf(kms("proxy: none")), { kind: "none" });
  assert.deepEqual(proxyOf(kms("proxy: env:TEAM_PROXY")), { kind: "env", variable: "TEAM_PROXY" });
  assert.deepEqual(proxyOf(kms('proxy: "http://proxy.test:3128/"')), { kind: "url", url: "http://proxy.test:3128" });
});

test("a proxy's password in the config is refused where it stands, and not repeated", () => {
  const [issue = ""] = issuesOf(kms('proxy: "http://keyd:canary-password@proxy.test:3128"'));
  assert.match(issue, /rules\[0\]\.kms\.proxy: expected a URL without user and password: put it into an environment/);
  assert.doesNotMatch(issue, /canary/);
});

test("an https proxy is refused to a rule by gRPC, which cannot go through one", () => {
  const places = issuesOf(kms('transport: grpc, proxy: "https://proxy.test:3129"')).join();
  assert.match(places, /rules\[0\]\.kms\.proxy: grpc goes by http proxies only/);
});

test("a rule's CA file is found from the config's directory, and its bound of calls is 256 unless set", () => {
  const { caFile, maxCalls } = parse(kms("caFile: ca.pem")).rules[0]?.kms ?? {};
  assert.match(caFile ?? "", /^\/.*\/ca\.pem$/);
  assert.equal(maxCalls, 256);
  assert.equal(parse(kms("maxCalls: 3")).rules[0]?.kms.maxCalls, 3);
});
