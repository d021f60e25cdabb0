import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, test } from "node:test";
import { AUDIENCE, AWS_TYPE, startFederation } from "../../../fakes/federation.ts";
import { getError, getToken } from "../../../fakes/token-set-up.ts";

const federation = await startFederation();
after(() => federation[Symbol.asyncDispose]());
const { emulator, credential, create } = federation;

const SECRET = "canary-aws-secret";
const ARN = "arn:aws:iam::123456789012:user/ci";
const VERIFICATION = "https://sts.{region}.amazonaws.com?Action=GetCallerIdentity&Version=2011-06-15";
const variables = { AWS_REGION: "eu-central-1", AWS_ACCESS_KEY_ID: "AKIACI", AWS_SECRET_ACCESS_KEY: SECRET };
emulator.admin.addAwsKey({ accessKeyId: "AKIACI", secretAccessKey: SECRET, arn: ARN });

const aws = (changes: object = {}) =>
  credential(
    { environment_id: "aws1", regional_cred_verification_url: VERIFICATION, ...changes },
    { subject_token_type: AWS_TYPE },
  );

test("the environment's key goes before the metadata service, which is then not asked", async () => {
  emulator.admin.resetRequests();
  const file = JSON.parse(await readFile(emulator.files.externalAccountAws, "utf8"));
  const token = await getToken(await create(file, {}, { variables }));
  assert.match(token.steps[0] ?? "", /access key from the environment, region eu-central-1/);
  assert.deepEqual(emulator.admin.requests().counts, { "sts.token": 1 });
  assert.match(emulator.admin.requests().requests[0]?.principal ?? "", new RegExp(`/subject/${ARN}$`));
});

test("the metadata service is asked in one session", async () => {
  emulator.admin.resetRequests();
  const token = await getToken(await create(emulator.files.externalAccountAws));
  assert.match(token.steps[0] ?? "", /IAM role emulated-role, region eu-west-1/);
  assert.equal(emulator.admin.requests().counts["aws.imds"], 4, "session, zone, role, key");
});

test("a metadata service that wants a session and is asked without says so", async () => {
  const file = JSON.parse(await readFile(emulator.files.externalAccountAws, "utf8"));
  delete file.credential_source.imdsv2_session_token_url;
  const error = await getError(await create(file));
  assert.match(error.message, /HTTP 401/);
  assert.match(error.message, /to do: check that the machine has an IAM role/);
});

for (const [name, changes, expected] of [
  ["a wrong secret", { AWS_SECRET_ACCESS_KEY: "canary-wrong" }, /HTTP 400 invalid_grant/],
  ["a key that nobody knows", { AWS_ACCESS_KEY_ID: "AKIACANARY" }, /HTTP 400 invalid_grant/],
  ["a session token that does not belong to it", { AWS_SESSION_TOKEN: "canary" }, /HTTP 400 invalid_grant/],
  ["no region", { AWS_REGION: "" }, /there is no aws region/],
  ["a region that is none", { AWS_REGION: "x.evil.example/" }, /there is no aws region of the usual form/],
  ["no key", { AWS_ACCESS_KEY_ID: "" }, /there is no aws access key/],
] as const) {
  test(`an environment with ${name} is an error that shows no secret`, async () => {
    const error = await getError(await create(aws(), {}, { variables: { ...variables, ...changes } }));
    assert.equal(error.code, "credential_rejected");
    assert.match(error.message, expected);
    assert.doesNotMatch(error.message, /canary/i);
  });
}

for (const url of [
  "https://iam.amazonaws.com?Action=CreateUser&Version=2010-05-08",
  "https://sts.{region}.amazonaws.com?Action=AssumeRole&Version=2011-06-15",
  "https://sts.{region}.amazonaws.com.evil.example?Action=GetCallerIdentity&Version=2011-06-15",
  "http://sts.{region}.amazonaws.com?Action=GetCallerIdentity&Version=2011-06-15",
  "https://sts.{region}.amazonaws.com/x?Action=GetCallerIdentity&Version=2011-06-15",
]) {
  test(`nothing is signed for ${url}`, async () => {
    const error = await getError(await create(aws({ regional_cred_verification_url: url }), {}, { variables }));
    assert.match(error.message, /is not aws' GetCallerIdentity/);
  });
}

test("a file that would have us read google's metadata server is refused", async () => {
  const url = "http://169.254.169.254/computeMetadata/v1/instance/service-accounts/default/token";
  const error = await getError(await create(aws({ url })));
  assert.match(error.message, /169\.254\.169\.254, which is refused: it is not aws' metadata service/);
});

test("a request that was made for another provider is refused", async () => {
  const other = AUDIENCE.replace("emulated-provider", "other-provider");
  const headers = [
    { key: "host", value: "sts.eu-central-1.amazonaws.com" },
    { key: "x-goog-cloud-target-resource", value: other },
  ];
  const request = { url: VERIFICATION.replace("{region}", "eu-central-1"), method: "POST", headers };
  const body = new URLSearchParams({
    grant_type: "urn:ietf:params:oauth:grant-type:token-exchange",
    audience: AUDIENCE,
    scope: "https://www.googleapis.com/auth/cloudkms",
    subject_token_type: AWS_TYPE,
    subject_token: encodeURIComponent(JSON.stringify(request)),
  });
  const response = await fetch(`${emulator.url}/v1/token`, { method: "POST", body });
  assert.match(await response.text(), /x-goog-cloud-target-resource/);
});
