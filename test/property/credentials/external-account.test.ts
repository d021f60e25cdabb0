import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { systemClock } from "../../../src/core/clock.ts";
import { KeyServiceError } from "../../../src/core/errors.ts";
import { parseCredential } from "../../../src/credentials/credential-document.ts";
import { createEndpointPolicy } from "../../../src/credentials/endpoint-policy.ts";
import { createRefreshTokens } from "../../../src/credentials/refresh-tokens.ts";
import type { SourceContext } from "../../../src/credentials/source-context.ts";
import { createExternalAccountMint } from "../../../src/credentials/sources/external-account.ts";
import { CLOUD_KMS_SCOPE } from "../../../src/credentials/token.ts";
import type { SendTokenRequest, TokenRequest } from "../../../src/credentials/token-request.ts";
import { createEnvironment } from "../../fakes/token-credentials.ts";
import { GOOGLE } from "../../fakes/token-google.ts";

const CANARY = "canary-content-of-a-credential";

/** Answers every request with what looks like a JWT, and remembers where it went. */
function createContext(requests: TokenRequest[]): SourceContext {
  const respond = async (request: TokenRequest) => {
    requests.push(request);
    return { status: 200, headers: new Map<string, string>(), text: "eyJ.eyJzdWIiOiJzIn0.c2ln" };
  };
  const send: SendTokenRequest = Object.assign(respond, { prepare: async () => {} });
  const policy = createEndpointPolicy(GOOGLE);
  const environment = createEnvironment({ AWS_REGION: "eu-west-1" });
  const refreshTokens = createRefreshTokens({ stateDirectory: undefined, warn() {} });
  const shared = { google: GOOGLE, clock: systemClock, warn() {}, policy, send, refreshTokens };
  return { ...shared, scope: CLOUD_KMS_SCOPE, environment };
}

const URLS = [
  "https://sts.googleapis.com/v1/token",
  "https://sts.googleapis.com.evil.example/v1/token",
  "https://evil.example/",
  "http://169.254.169.254/latest/api/token",
  "http://169.254.169.254/metadata/identity/oauth2/token",
  "http://169.254.169.254/computeMetadata/v1/instance/service-accounts/default/token",
  "http://metadata.google.internal/computeMetadata/v1/",
  "http://10.0.0.1/",
  "https://[fe80::1]/",
  "file:///etc/passwd",
  `https://${CANARY}@sts.googleapis.com/`,
];
const odd = fc.oneof(fc.constantFrom(null, "", 0, true, [], {}, CANARY), fc.string(), fc.constantFrom(...URLS));
const maybe = (right: unknown) => fc.oneof({ weight: 9, arbitrary: fc.constant(right) }, { weight: 1, arbitrary: odd });
const url = fc.oneof({ weight: 4, arbitrary: fc.constantFrom(...URLS) }, { weight: 1, arbitrary: odd });
/** Errors show paths, so the canary is none. */
const path = fc.constantFrom("/nonexistent/token", "nonexistent", "/dev/zero", "/", 0, true, {});
const VERIFICATION = "https://sts.{region}.amazonaws.com?Action=GetCallerIdentity&Version=2011-06-15";
const IMDS = "http://169.254.169.254/latest";

/** What the subject token comes from, and a type that mostly fits. */
const [jwt, aws, mtls] = ["oauth:token-type:jwt", "aws:token-type:aws4_request", "oauth:token-type:mtls"].map(
  (type) => ({ subject_token_type: maybe(`urn:ietf:params:${type}`) }),
);
const federated = fc.oneof(
  fc.record({ ...jwt, credential_source: odd }),
  fc.record({
    ...jwt,
    credential_source: fc.record(
      { url, headers: maybe({ Authorization: CANARY }), format: maybe({ type: "text" }) },
      { requiredKeys: ["url"] },
    ),
  }),
  fc.record({
    ...aws,
    credential_source: fc.record({
      environment_id: maybe("aws1"),
      url: fc.oneof(fc.constant(`${IMDS}/meta-data/iam/security-credentials`), url),
      imdsv2_session_token_url: fc.oneof(fc.constant(`${IMDS}/api/token`), url),
      regional_cred_verification_url: maybe(VERIFICATION),
    }),
  }),
  fc.record({ ...jwt, credential_source: fc.record({ executable: maybe({ command: `/bin/echo ${CANARY}` }) }) }),
  fc.record({
    ...mtls,
    credential_source: fc.record({ certificate: maybe({ certificate_config_location: "/nonexistent/config.json" }) }),
  }),
  fc.record({ ...jwt, credential_source: fc.record({ file: path }) }),
);
const sometimes = (field: fc.Arbitrary<unknown>) =>
  fc.oneof({ weight: 4, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: field });
const common = fc.record({
  audience: maybe("//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/x"),
  token_url: fc.oneof({ weight: 3, arbitrary: fc.constant("https://sts.googleapis.com/v1/token") }, url),
  token_info_url: sometimes(url),
  service_account_impersonation_url: sometimes(url),
});
const credential = fc.tuple(common, federated).map(([first, second]) => ({ ...first, ...second }));

const ALLOWED = [
  /^https:\/\/[a-z]+\.googleapis\.com\//,
  /^http:\/\/169\.254\.169\.254\/metadata\/identity\/oauth2\/token$/,
  /^http:\/\/169\.254\.169\.254\/latest\//,
];

test("whatever a credential file says, only allowed hosts are asked, and errors say nothing of its content", async () => {
  const options = { delegates: [], lifetimeMs: undefined, allowExecutable: false, subjectTokenHosts: [] };
  const mint = createExternalAccountMint(options);
  let asked = 0;
  await fc.assert(
    fc.asyncProperty(credential, async (fields) => {
      const requests: TokenRequest[] = [];
      const text = JSON.stringify({ type: "external_account", ...fields });
      const outcome: unknown = await mint(
        "subject",
        parseCredential({ text, origin: "file f" }),
        createContext(requests),
        new AbortController().signal,
      ).catch((error: unknown) => error);
      for (const request of requests)
        assert.ok(
          ALLOWED.some((allowed) => allowed.test(request.url.href)),
          request.url.href,
        );
      asked += requests.length;
      assert.ok(outcome instanceof KeyServiceError, String(outcome));
      assert.match(outcome.code, /^credential_(?:rejected|unavailable)$/);
      assert.ok(!outcome.message.includes(CANARY), outcome.message);
    }),
    { numRuns: 2000 },
  );
  assert.ok(asked > 100, `only ${asked} requests were made: the files are all refused before`);
});
