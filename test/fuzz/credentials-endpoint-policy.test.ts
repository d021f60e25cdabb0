import assert from "node:assert/strict";
import { isIP } from "node:net";
import { test } from "node:test";
import fc from "fast-check";
import { KeyServiceError } from "../../src/core/errors.ts";
import { createEndpointPolicy } from "../../src/credentials/endpoint-policy.ts";
import { configureGoogle } from "../fakes/token-google.ts";

// FUZZ_SEED and FUZZ_RUNS repeat or prolong a run.
const seed = Number(process.env["FUZZ_SEED"] ?? Date.now() % 2 ** 31);
const numRuns = Number(process.env["FUZZ_RUNS"] ?? 5000);

const UNIVERSES = ["googleapis.com", "example.cloud"] as const;

const host = fc.constantFrom(
  "oauth2.googleapis.com",
  "sts.googleapis.com",
  "iamcredentials.example.cloud",
  "googleapis.com",
  "evilgoogleapis.com",
  "googleapis.com.evil.example",
  "169.254.169.254",
  "0xa9fea9fe",
  "2852039166",
  "[::ffff:169.254.169.254]",
  "[64:ff9b::a9fe:a9fe]",
  "[fe80::1]",
  "[fd20:ce::254]",
  "metadata.google.internal",
  "127.0.0.1",
  "127.1",
  "[::1]",
  "[::ffff:127.0.0.1]",
  "localhost",
  "bucket.storage.googleapis.com",
  "10.0.0.1",
);
const nasty = fc.constantFrom(
  ..."@:/\\?#.%",
  "..",
  "%00",
  "%2e",
  "%2f",
  "\u3002",
  "\uff0e",
  "\u200b",
  "\u00ad",
  "\ud83d\ude00",
  "\u0455",
  "\t",
  "\n",
  "user@",
  "user:canary@",
  ":8443",
  "xn--",
  ".googleapis.com",
  "//evil.example",
);
const scheme = fc.constantFrom("https://", "http://", "HTTPS://", "https:", "https:\\\\", "ftp://", "javascript:", "");
const piece = fc.oneof(host, nasty, fc.string({ unit: "binary", maxLength: 8 }));
const text = fc
  .tuple(scheme, fc.array(piece, { minLength: 1, maxLength: 5 }), fc.webPath())
  .map(([start, pieces, path]) => `${start}${pieces.join("")}${path}`);
const configured = fc.constantFrom(
  undefined,
  "http://127.0.0.1:8080",
  "http://[::1]:9/base",
  "https://sts.corp.example",
  "https://169.254.169.254",
  "http://10.0.0.1",
);

test("whatever is written as a URL, what is asked is https in the universe or an endpoint of the config", (t) => {
  t.diagnostic(`FUZZ_SEED=${seed}`);
  let allowed = 0;
  fc.assert(
    fc.property(text, configured, fc.constantFrom(...UNIVERSES), (written, endpoint, universe) => {
      const url = URL.parse(written);
      if (url === null) return;
      const endpoints = {
        oauth2: endpoint ?? `https://oauth2.${universe}`,
        sts: endpoint ?? `https://sts.${universe}`,
        iamCredentials: endpoint ?? `https://iamcredentials.${universe}`,
      };
      const target = decide(url, universe, endpoints);
      if (target === undefined) return;
      allowed += 1;
      assertSafe(target, universe, endpoint);
    }),
    { seed, numRuns },
  );
  assert.ok(allowed > 0, "nothing was allowed: the test shows nothing");
});

function decide(url: URL, universe: string, endpoints: Record<string, string>): URL | undefined {
  try {
    return createEndpointPolicy(configureGoogle(endpoints, universe))(url, '"token_uri" in file k.json');
  } catch (error) {
    assert.ok(error instanceof KeyServiceError, String(error));
    assert.equal(error.code, "credential_rejected");
    assert.match(error.message, /which is refused: it|which is refused: plain http/);
    assert.ok(!error.message.includes("canary"));
    return undefined;
  }
}

/** Worked out anew, from what a connection would be made to. */
function assertSafe(target: URL, universe: string, endpoint: string | undefined): void {
  assert.equal(target.username + target.password, "");
  const name = target.hostname.replace(/^\[|\]$/g, "");
  const isNamed = endpoint !== undefined && target.origin === new URL(endpoint).origin;
  if (isNamed) {
    const isLoopback = name === "127.0.0.1" || name === "::1";
    assert.ok(target.protocol === "https:" || isLoopback, target.href);
    assert.doesNotMatch(name, /^169\.254\./);
    return;
  }
  assert.equal(target.protocol, "https:");
  assert.equal(target.port, "");
  assert.equal(isIP(name), 0);
  assert.ok(name.endsWith(`.${universe}`), target.href);
  assert.ok(!name.endsWith(`.storage.${universe}`), target.href);
  assert.match(name, /^[a-z0-9_.-]+$/);
}
