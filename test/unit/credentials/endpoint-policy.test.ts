import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { KeyServiceError } from "../../../src/core/errors.ts";
import { createEndpointPolicy } from "../../../src/credentials/endpoint-policy.ts";
import { configureGoogle, GOOGLE } from "../../fakes/token-google.ts";

const ask = (url: string, google = GOOGLE) =>
  createEndpointPolicy(google)(new URL(url), '"token_uri" in file k.json').href;

test("google's own hosts are replaced by the configured endpoints, base paths included", () => {
  const google = configureGoogle({
    oauth2: "http://127.0.0.1:8080/oauth2",
    sts: "http://localhost:8080",
    iamCredentials: "https://iam.psc.example",
  });
  assert.equal(ask("https://oauth2.googleapis.com/token", google), "http://127.0.0.1:8080/oauth2/token");
  assert.equal(ask("https://accounts.google.com/o/oauth2/token", google), "http://127.0.0.1:8080/oauth2/token");
  assert.equal(ask("https://www.googleapis.com/oauth2/v4/token", google), "http://127.0.0.1:8080/oauth2/token");
  assert.equal(ask("https://sts.googleapis.com/v1/token", google), "http://localhost:8080/v1/token");
  assert.equal(ask("https://iamcredentials.googleapis.com/v1/x:y", google), "https://iam.psc.example/v1/x:y");
});

test("hosts of the configured universe and configured endpoints may be asked", () => {
  assert.equal(ask("https://other.googleapis.com/token"), "https://other.googleapis.com/token");
  const google = configureGoogle({ oauth2: "http://[::1]:9/x" }, "example.cloud");
  assert.equal(ask("https://sts.eu.example.cloud/token", google), "https://sts.eu.example.cloud/token");
  assert.equal(ask("http://[::1]:9/other", google), "http://[::1]:9/other");
});

const REFUSED = [
  ["http://oauth2.googleapis.com/token", /plain http/],
  ["http://127.0.0.1/token", /plain http/],
  ["http://169.254.169.254/computeMetadata/v1/", /link-local/],
  ["https://169.254.169.254/token", /link-local/],
  ["http://[fe80::1]/token", /link-local/],
  ["https://[fd20:ce::254]/token", /link-local/],
  ["http://2852039166/token", /link-local/],
  ["https://[::ffff:169.254.169.254]/token", /link-local/],
  ["https://[64:ff9b::169.254.169.254]/token", /link-local/],
  ["https://[fd00:ec2::254]/token", /link-local/],
  ["https://100.100.100.200/token", /link-local/],
  ["https://0xa9.0376.43518/token", /link-local/],
  ["http://metadata.google.internal/token", /metadata server/],
  ["https://metadata.google.internal./token", /metadata server/],
  ["https://metadata/token", /metadata server/],
  ["https://googleapis.com/token", /not a host of googleapis.com/],
  ["https://oauth2.googleapis.com./token", /not a host of googleapis.com/],
  ["https://oauth2.googleapi\u0455.com/token", /not a host of googleapis.com/],
  ["https://evil.example\\@oauth2.googleapis.com/token", /not a host of googleapis.com/],
  ["https://evil.example/?.googleapis.com", /not a host of googleapis.com/],
  ["https://evil.example#.googleapis.com", /not a host of googleapis.com/],
  ["https://evil-bucket.storage.googleapis.com/token", /anybody/],
  ["https://storage.googleapis.com/evil-bucket/token", /anybody/],
  ["https://127.0.0.1/token", /not a host of googleapis.com/],
  ["https://evil.example/token", /not a host of googleapis.com/],
  ["https://googleapis.com.evil.example/token", /not a host/],
  ["https://evilgoogleapis.com/token", /not a host/],
  ["https://oauth2.googleapis.com:8443/token", /names a port/],
  ["https://user:canary@oauth2.googleapis.com/token", /user name or password/],
  ["https://oauth2.googleapis.com@evil.example/token", /user name or password/],
  ["https://.googleapis.com/token", /it is not a host of googleapis.com/],
  ["https:/}sts.googleapis.com/v1/token", /it is not a host of googleapis.com/],
  ["ftp://oauth2.googleapis.com/token", /neither https nor http/],
] as const;

for (const [url, why] of REFUSED) {
  test(`${url} is refused`, () => {
    assert.throws(
      () => ask(url),
      (error) => {
        assert.ok(error instanceof KeyServiceError && error.code === "credential_rejected");
        assert.match(error.message, why);
        assert.match(error.message, /"token_uri" in file k.json/);
        assert.doesNotMatch(error.message, /canary/);
        return true;
      },
    );
  });
}

test("an endpoint in clear text that is not on loopback is refused even where it is configured", () => {
  const google = configureGoogle({ oauth2: "http://10.0.0.1:8080" });
  assert.throws(() => ask("https://oauth2.googleapis.com/token", google), /for loopback addresses only/);
});

test("services of another universe than the configured one are not taken for its own", () => {
  const own = { sts: "https://sts.example.cloud", iamCredentials: "https://iamcredentials.example.cloud" };
  const google = configureGoogle(own, "example.cloud");
  assert.throws(() => ask("https://sts.googleapis.com/v1/token", google), /not a host of example.cloud/);
  assert.throws(() => ask("https://iamcredentials.googleapis.com/v1/x", google), /not a host of example.cloud/);
});

test("even an endpoint that the config names is not a metadata server", () => {
  for (const oauth2 of ["https://169.254.169.254", "https://metadata.google.internal", "https://[fd20:ce::254]"]) {
    assert.throws(() => ask("https://oauth2.googleapis.com/token", configureGoogle({ oauth2 })), /link-local|metadata/);
  }
});

test("ways of writing a host that mean the same host are that host", () => {
  for (const url of ["https://OAUTH2.GoogleAPIs.com:443/token", "https://oauth2\u3002googleapis\uff0ecom/token"]) {
    assert.equal(ask(url), "https://oauth2.googleapis.com/token");
  }
});

test("a host that is too long to show leaves the reason in the message", () => {
  const url = `https://${"a.".repeat(120)}example/`;
  assert.throws(() => ask(url), /it is not a host of googleapis.com/);
});

test("whatever url a file names, what may be asked is https in the universe", () => {
  fc.assert(
    fc.property(fc.webUrl({ withQueryParameters: true }), (text) => {
      let target: URL;
      try {
        target = new URL(ask(text));
      } catch (error) {
        assert.ok(error instanceof KeyServiceError);
        return;
      }
      assert.equal(target.protocol, "https:");
      assert.ok(target.hostname.endsWith(".googleapis.com"));
    }),
  );
});
