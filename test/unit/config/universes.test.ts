import assert from "node:assert/strict";
import { test } from "node:test";
import { issuesOf, parse, warningsOf, withRule } from "./parsing.ts";

const google = (lines: string) => withRule(`google: ${lines}`);
const ACCESS_TOKEN = "{ type: access_token, env: TOKEN }";

test("an endpoint of Google's own domain in a config of another universe is refused where it stands", () => {
  assert.deepEqual(
    issuesOf(google('{ universeDomain: example.cloud, endpoints: { sts: "https://sts.googleapis.com" } }')),
    [
      "8:60: google.endpoints.sts: is an endpoint of another universe than google.universeDomain (example.cloud); its tokens are good for nothing there",
    ],
  );
});

test("an endpoint that looks like one of another universe is warned of: it may be a proxy", () => {
  for (const service of ["kms", "oauth2", "sts", "iamCredentials"]) {
    const host = { kms: "cloudkms", iamCredentials: "iamcredentials" }[service] ?? service;
    const [warning] = warningsOf(google(`{ endpoints: { ${service}: "https://${host}.example.cloud" } }`));
    assert.match(warning ?? "", new RegExp(`google.endpoints.${service}: looks like an endpoint of another universe`));
  }
});

test("endpoints of the universe, of a proxy, of an emulator and of Private Service Connect are no reason to warn", () => {
  for (const lines of [
    '{ endpoints: { sts: "https://google-sts.corp.example", kms: "http://127.0.0.1:8181" } }',
    '{ endpoints: { kms: "https://cloudkms-psc.p.googleapis.com" } }',
  ]) {
    assert.deepEqual(warningsOf(google(lines)), []);
  }
  const regional = google(
    '{ universeDomain: example.cloud, endpoints: { kms: "https://cloudkms.eu.rep.example.cloud" } }',
  );
  assert.deepEqual(warningsOf(regional.replace(/locations\/[^/]+/, "locations/eu")), []);
});

test("a regional endpoint for all rules is held against the location of each rule's keys", () => {
  for (const host of ["cloudkms.eu.rep.googleapis.com", "cloudkms.eu.p.rep.googleapis.com"]) {
    const text = google(`{ endpoints: { kms: "https://${host}" } }`);
    const problem = "has google.endpoints.kms, which serves keys in eu only";
    assert.match(
      issuesOf(text.replace(/locations\/[^/]+/, "locations/global")).join(),
      new RegExp(`rules\\[0\\]\\.match: ${problem}, and no key of this rule lies there`),
    );
    const star = warningsOf(text.replace(/locations\/[^/]+/, "locations/*"));
    assert.match(star.join(), new RegExp(`rules\\[0\\]\\.match: ${problem}; write locations/eu in match`));
    const elsewhere = text.replace(/locations\/[^/]+/, "locations/global").replace(
      /(\n +tokenSource:)/,
      `
    kms: { endpoint: "https://cloudkms.googleapis.com" }$1`,
    );
    assert.deepEqual(warningsOf(elsewhere), []);
  }
});

test("a rule for keys of another universe is refused where its tokens are of the configured one", () => {
  assert.deepEqual(issuesOf(withRule("    kms: { universeDomain: example.cloud }")), [
    "8:28: rules[0].kms.universeDomain: is of another universe than google.universeDomain (googleapis.com), and token source a gives tokens of that one; keys of another universe need a server of their own, or an access_token source",
  ]);
  const text = withRule(
    '    kms: { endpoint: "https://cloudkms.googleapis.com" }\ngoogle: { universeDomain: example.cloud }',
  );
  assert.match(issuesOf(text).join(), /rules\[0\].kms.endpoint: is of another universe than google.universeDomain/);
});

test("a finished token may be of any universe", () => {
  const text = withRule("    kms: { universeDomain: example.cloud }").replace("{ type: default }", ACCESS_TOKEN);
  assert.equal(parse(text).rules[0]?.kms.endpoint, "https://cloudkms.example.cloud");
});
