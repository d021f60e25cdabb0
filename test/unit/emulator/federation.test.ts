import assert from "node:assert/strict";
import { after, test } from "node:test";
import {
  AwsClient,
  type AwsClientOptions,
  IdentityPoolClient,
  type IdentityPoolClientOptions,
  PluggableAuthClient,
  type PluggableAuthClientOptions,
} from "google-auth-library";
import { startEmulator } from "../../../src/emulator/emulator.ts";
import { createCertificate } from "../../fakes/certificates.ts";
import { type Answer, ask, freshKey, readJson } from "./fixtures.ts";

const emulator = await startEmulator();
after(() => emulator.close());
const { files, principals } = emulator;
const { audience = "" } = await readJson(files.externalAccount);
for (const name of ["AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ACCESS_KEY_ID"]) delete process.env[name];
process.env["GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES"] = "1";

async function principalOf(token: string): Promise<string | undefined> {
  const { status } = await ask(emulator, "POST", `/v1/${freshKey()}:encrypt`, { token, body: { plaintext: "eA==" } });
  assert.equal(status, 200);
  return emulator.admin.requests().requests.at(-1)?.principal;
}

async function readFileOf<T>(path: string): Promise<T> {
  return (await readJson(path)) as unknown as T;
}

// Proof from outside: Google's own clients take the files and endpoints for what they seem to be.
test("google's own client gets a token with the AWS file", async () => {
  const client = new AwsClient(await readFileOf<AwsClientOptions>(files.externalAccountAws));
  assert.equal(await principalOf((await client.getAccessToken()).token ?? ""), principals.aws);
});

test("google's own client gets a token with the URL file", async () => {
  const client = new IdentityPoolClient(await readFileOf<IdentityPoolClientOptions>(files.externalAccountUrl));
  assert.equal(await principalOf((await client.getAccessToken()).token ?? ""), principals.federated);
});

test("google's own client gets a token with the executable file", async () => {
  const client = new PluggableAuthClient(await readFileOf<PluggableAuthClientOptions>(files.externalAccountExecutable));
  assert.equal(await principalOf((await client.getAccessToken()).token ?? ""), principals.federated);
});

function exchange(form: Readonly<Record<string, string>>): Promise<Answer> {
  const usual = {
    grant_type: "urn:ietf:params:oauth:grant-type:token-exchange",
    subject_token_type: "urn:ietf:params:oauth:token-type:jwt",
    scope: "https://www.googleapis.com/auth/cloudkms",
    audience,
  };
  return ask(emulator, "POST", "/v1/token", { form: { ...usual, ...form } });
}

const WORKFORCE = "//iam.googleapis.com/locations/global/workforcePools/staff/providers/oidc";

test("options are for workforce pools, and name a user project", async () => {
  const [workload, workforce] = await Promise.all([
    emulator.admin.issueSubjectToken({ subject: "s" }),
    emulator.admin.issueSubjectToken({ subject: "s", audience: WORKFORCE }),
  ]);
  const options = JSON.stringify({ userProject: "billing" });
  assert.equal((await exchange({ subject_token: workforce, audience: WORKFORCE, options })).status, 200);
  assert.equal((await exchange({ subject_token: workload, options })).json["error"], "invalid_request");
  const wrong = await exchange({ subject_token: workforce, audience: WORKFORCE, options: "userProject=x" });
  assert.equal(wrong.json["error"], "invalid_request");
});

const admin = (path: string, body: object) => ask(emulator, "POST", `/emulator/${path}`, { body });

test("a provider is deleted, and brought back, over HTTP", async () => {
  const token = await emulator.admin.issueSubjectToken({ subject: "s" });
  await admin("providers", { audience, deleted: true });
  assert.equal((await exchange({ subject_token: token })).json["error"], "invalid_target");
  await admin("providers", { audience, deleted: false });
  assert.equal((await exchange({ subject_token: token })).status, 200);
});

test("an AWS key is registered over HTTP, and its shape is checked", async () => {
  const key = { accessKeyId: "AKIAX", secretAccessKey: "s", arn: "arn:aws:iam::1:user/x" };
  assert.equal((await admin("aws-keys", key)).status, 200);
  assert.equal((await admin("aws-keys", { ...key, arn: undefined })).status, 400);
});

test("a certificate authority is registered over HTTP; certificates of others are refused", async () => {
  const authority = createCertificate({ name: "root", authority: true });
  const leaf = createCertificate({ name: "leaf", issuer: authority });
  const der = leaf.certificate.replaceAll(/-----[A-Z ]+-----|\n/g, "");
  const form = { subject_token_type: "urn:ietf:params:oauth:token-type:mtls", subject_token: JSON.stringify([der]) };
  assert.equal((await exchange(form)).json["error"], "invalid_grant");
  assert.equal((await admin("certificate-authorities", { certificate: "x" })).status, 400);
  assert.equal((await admin("certificate-authorities", { certificate: authority.certificate })).status, 200);
  assert.equal((await exchange(form)).status, 200);
  assert.equal((await exchange({ ...form, subject_token: "[]" })).json["error"], "invalid_grant");
});

test("a certificate that is no authority cannot vouch for another", async () => {
  const authority = createCertificate({ name: "root", authority: true });
  emulator.admin.addCertificateAuthority(authority.certificate);
  const between = createCertificate({ name: "between", issuer: authority });
  const leaf = createCertificate({ name: "leaf", issuer: between });
  const chain = [leaf, between].map(({ certificate }) => certificate.replaceAll(/-----[A-Z ]+-----|\n/g, ""));
  const form = { subject_token_type: "urn:ietf:params:oauth:token-type:mtls", subject_token: JSON.stringify(chain) };
  assert.equal((await exchange(form)).json["error"], "invalid_grant");
});

for (const [path, headers] of [
  ["/subject-token", {}],
  ["/subject-token", { authorization: "Bearer wrong" }],
  ["/latest/meta-data/iam/security-credentials", {}],
  ["/latest/meta-data/placement/availability-zone", { "x-aws-ec2-metadata-token": "wrong" }],
] as const) {
  test(`${path} wants its header, and not ${JSON.stringify(headers)}`, async () => {
    assert.equal((await ask(emulator, "GET", path, { headers })).status, 401);
  });
}

const signed = (changes: object = {}) => ({
  url: "https://sts.eu-west-1.amazonaws.com?Action=GetCallerIdentity&Version=2011-06-15",
  method: "POST",
  headers: [
    { key: "host", value: "sts.eu-west-1.amazonaws.com" },
    { key: "x-goog-cloud-target-resource", value: audience },
    { key: "x-amz-date", value: "20200101T000000Z" },
    {
      key: "authorization",
      value: `AWS4-HMAC-SHA256 Credential=AKIAX/20200101/eu-west-1/sts/aws4_request, SignedHeaders=host;x-amz-date, Signature=${"0".repeat(64)}`,
    },
  ],
  ...changes,
});

for (const [name, request, why] of [
  ["that is old", signed(), /stale/],
  [
    "to another service",
    signed({ url: "https://iam.amazonaws.com?Action=GetCallerIdentity" }),
    /not a GetCallerIdentity/,
  ],
  ["without headers", signed({ headers: [] }), /not a GetCallerIdentity/],
  ["that is none", { hello: "world" }, /not a serialized AWS request/],
] as const) {
  test(`an AWS request ${name} is refused`, async () => {
    await admin("aws-keys", { accessKeyId: "AKIAX", secretAccessKey: "s", arn: "arn:aws:iam::1:user/x" });
    const { json } = await exchange({
      subject_token_type: "urn:ietf:params:aws:token-type:aws4_request",
      subject_token: encodeURIComponent(JSON.stringify(request)),
    });
    assert.equal(json["error"], "invalid_grant");
    assert.match(String(json["error_description"]), why);
  });
}
