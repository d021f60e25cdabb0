import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, beforeEach, test } from "node:test";
import { AUDIENCE, impersonationUrl, JWT_TYPE, startFederation } from "../../../fakes/federation.ts";
import { getError, getToken } from "../../../fakes/token-set-up.ts";

const federation = await startFederation();
after(() => federation[Symbol.asyncDispose]());
const { emulator, folder, credential, create } = federation;
const { admin, files, principals } = emulator;
const file = { file: files.subjectToken };

beforeEach(() => {
  admin.clearFaults();
  admin.resetRequests();
  admin.setImpersonation(principals.impersonated, undefined);
  admin.setProviderDeleted(AUDIENCE, false);
});

const impersonating = (origin: object = file, more: object = {}) =>
  credential(origin, {
    service_account_impersonation_url: impersonationUrl(emulator, principals.impersonated),
    ...more,
  });

test("a subject token file is read anew at each exchange", async () => {
  const first = await admin.issueSubjectToken({ subject: "first" });
  const second = await admin.issueSubjectToken({ subject: "second" });
  const { path } = await folder.write("rotating.jwt", `${first}\n`);
  const holder = await create(credential({ file: path }));
  const token = await getToken(holder);
  assert.match(token.principal ?? "", /\/subject\/first$/);
  await folder.write("rotating.jwt", second);
  holder.invalidate(token.generation);
  assert.match((await getToken(holder)).principal ?? "", /\/subject\/second$/);
});

test("a subject token may stand in a field of JSON", async () => {
  const token = await admin.issueSubjectToken({ subject: "json" });
  const { path } = await folder.write("token.json", { access: { token: 1 }, id: token });
  const format = { type: "json", subject_token_field_name: "id" };
  assert.match((await getToken(await create(credential({ file: path, format })))).principal ?? "", /\/json$/);
});

test("the lifetime of the file is asked for, and that of the config goes before it", async () => {
  const withLifetime = impersonating(file, { service_account_impersonation: { token_lifetime_seconds: 1200 } });
  const lifeS = async (options: object) =>
    Math.round(((await getToken(await create(withLifetime, options))).expiresAtMs - Date.now()) / 10_000) * 10;
  assert.equal(await lifeS({}), 1200);
  assert.equal(await lifeS({ lifetimeMs: 600_000 }), 600);
});

test("only the scope for Cloud KMS is asked for, and for impersonation only that for IAM", async () => {
  const direct = await getToken(await create(credential(file)));
  const token = direct.accessToken.reveal();
  const url = impersonationUrl(emulator, principals.impersonated);
  const response = await fetch(url, {
    method: "POST",
    headers: { authorization: `Bearer ${token}` },
    body: JSON.stringify({ scope: ["https://www.googleapis.com/auth/cloudkms"] }),
  });
  assert.equal(response.status, 403, "a token for Cloud KMS alone cannot impersonate");
  assert.match(await response.text(), /ACCESS_TOKEN_SCOPE_INSUFFICIENT/);
  assert.equal((await getToken(await create(impersonating()))).principal, principals.impersonated);
});

const MALFORMED = [
  ["no audience", { audience: undefined }, /"audience" is missing/],
  ["an audience that is no provider", { audience: "//iam.googleapis.com/projects/1" }, /"audience" does not name/],
  ["an audience of another host", { audience: AUDIENCE.replace("iam.", "iam.evil.") }, /"audience" does not name/],
  ["a token_url elsewhere", { token_url: "https://sts.evil.example/v1/token" }, /"token_url" .* is refused/],
  ["a token_url in clear text", { token_url: "http://sts.googleapis.com/v1/token" }, /"token_url" .* plain http/],
  ["a token_url that is the metadata server", { token_url: "http://169.254.169.254/token" }, /link-local/],
  ["a token_info_url elsewhere", { token_info_url: "https://evil.example/introspect" }, /"token_info_url" .* refused/],
  [
    "an impersonation url elsewhere",
    {
      service_account_impersonation_url:
        "https://evil.example/v1/projects/-/serviceAccounts/a@b.iam.gserviceaccount.com:generateAccessToken",
    },
    /"service_account_impersonation_url" .* refused/,
  ],
  [
    "an impersonation url without an account",
    { service_account_impersonation_url: "https://iamcredentials.googleapis.com/v1/x" },
    /names no service account/,
  ],
  ["another universe", { universe_domain: "example.goog" }, /another universe/],
  ["no credential_source", { credential_source: undefined }, /"credential_source" is missing/],
  ["two kinds at once", { credential_source: { ...file, url: "http://127.0.0.1/" } }, /not of one known kind/],
  ["a type that does not fit", { subject_token_type: "urn:x" }, /"subject_token_type" does not fit/],
  ["a user project without a workforce pool", { workforce_pool_user_project: "p" }, /workforce pools only/],
  [
    "headers that would change the request",
    { credential_source: { url: "http://127.0.0.1/", headers: { Host: "x" } } },
    /"credential_source.headers" has one/,
  ],
  [
    "a format that is unknown",
    { credential_source: { ...file, format: { type: "xml" } } },
    /"credential_source.format.type" is neither/,
  ],
] as const;

for (const [name, changes, expected] of MALFORMED) {
  test(`a file with ${name} is refused before anything is sent`, async () => {
    const error = await getError(await create({ ...credential(file), ...changes }));
    assert.equal(error.code, "credential_rejected");
    assert.match(error.message, expected);
    assert.match(error.message, /token source: subject/);
    assert.match(error.message, /\nto do: /);
    assert.deepEqual(admin.requests().counts, {});
  });
}

test("delegates or a lifetime in the config need a file that impersonates", async () => {
  const error = await getError(await create(credential(file), { lifetimeMs: 600_000 }));
  assert.match(error.message, /delegates or lifetime in the config are for impersonation/);
});

test("a subject token is not got from a host that the config does not name", async () => {
  const error = await getError(await create(credential({ url: "https://ci.example.com/token" })));
  assert.match(error.message, /https:\/\/ci\.example\.com, which is refused/);
  assert.match(error.message, /to do: .*subjectTokenHosts/);
});

const UNUSABLE = [
  ["has expired", { subject: "s", lifetimeMs: -1000 }, /invalid_grant.*\n.*as: principal.*\nto do: .*renews it/],
  ["is for another audience", { subject: "s", audience: "x" }, /invalid_grant.*\n.*\nto do: .*audience/],
] as const;

for (const [name, request, expected] of UNUSABLE) {
  test(`a subject token that ${name} is told with google's code, the principal and the remedy`, async () => {
    const token = await admin.issueSubjectToken(request);
    const { path } = await folder.write("bad.jwt", token);
    const error = await getError(await create(credential({ file: path })));
    assert.equal(error.code, "credential_rejected");
    assert.match(error.message, /^127\.0\.0\.1:\d+ refused to give a token \(HTTP 400 invalid_grant\)/);
    assert.match(error.message, expected);
    assert.ok(!error.message.includes(token.slice(-20)));
  });
}

for (const [name, content, expected] of [
  ["that is not there", undefined, /there is no subject token file/],
  ["that is empty", "", /malformed: there is none/],
  ["that is no JWT", "canary-not-a-jwt", /malformed: it is not a JWT/],
] as const) {
  test(`a subject token file ${name} is an error of the identity, and no reason to take another`, async () => {
    const location = content === undefined ? { path: "/nonexistent/token" } : await folder.write("odd", content);
    const error = await getError(await create(credential({ file: location.path })));
    assert.equal(error.code, "credential_rejected");
    assert.match(error.message, expected);
    assert.doesNotMatch(error.message, /canary/);
  });
}

test("a pool or provider that was deleted is told by its name", async () => {
  admin.setProviderDeleted(AUDIENCE, true);
  const error = await getError(await create(credential(file)));
  assert.match(error.message, /invalid_target/);
  assert.match(error.message, /to do: check that pool and provider exist and are enabled: \/\/iam/);
  assert.ok(error.message.includes(principals.federated));
});

test("a missing role is named, with whom and where it is to be granted", async () => {
  admin.setImpersonation(principals.impersonated, { tokenCreators: [] });
  const error = await getError(await create(impersonating()));
  assert.match(error.message, /refused to give a token \(HTTP 403 PERMISSION_DENIED IAM_PERMISSION_DENIED\)/);
  const { federated, impersonated } = principals;
  assert.equal(error.detail.remedy, `grant roles/iam.workloadIdentityUser to ${federated} on ${impersonated}`);
  assert.equal(error.detail.principal, impersonated);
});

test("a subject token URL that refuses us is told by its host and status", async () => {
  const written = JSON.parse(await readFile(files.externalAccountUrl, "utf8"));
  written.credential_source.headers.Authorization = "Bearer canary-expired-job-token";
  const error = await getError(await create(written));
  assert.match(error.message, /^127\.0\.0\.1:\d+ refused to give a token \(HTTP 401\)/);
  assert.match(error.message, /to do: .*headers in the credential file/);
  assert.doesNotMatch(error.message, /canary/);
});

test("a client of an OAuth login authenticates itself, and then names no user project", async () => {
  const audience = "//iam.googleapis.com/locations/global/workforcePools/staff/providers/oidc";
  const token = await admin.issueSubjectToken({ subject: "ann", audience });
  const { path } = await folder.write("ann.jwt", token);
  const client = { client_id: "id", client_secret: "canary-secret", workforce_pool_user_project: "p" };
  const holder = await create(credential({ file: path }, { audience, subject_token_type: JWT_TYPE, ...client }));
  assert.match((await getToken(holder)).principal ?? "", /workforcePools\/staff\/subject\/ann$/);
});
