import assert from "node:assert/strict";
import { test } from "node:test";
import { checkAwsUrl, checkSubjectUrl } from "../../../../src/credentials/subject-tokens/subject-url-policy.ts";

const rules = { universeDomain: "googleapis.com", hosts: ["ci.example.com", "*.actions.githubusercontent.com"] };

for (const url of [
  "https://ci.example.com/token",
  "https://ci.example.com:8443/token",
  "https://run-1.actions.githubusercontent.com//idtoken/x?api-version=2.0&audience=y",
  "https://sts.googleapis.com/x",
  "http://127.0.0.1:1234/token",
  "http://localhost/token",
  "http://[::1]:80/token",
  "http://169.254.169.254/metadata/identity/oauth2/token?api-version=2018-02-01&resource=api://x",
]) {
  test(`subject tokens may be got from ${url}`, () => checkSubjectUrl(new URL(url), rules, "url"));
}

for (const url of [
  "https://evil.example/token",
  "https://actions.githubusercontent.com.evil.example/token",
  "https://evilactions.githubusercontent.com/token",
  "https://actions.githubusercontent.com/token",
  "https://user:pass@ci.example.com/token",
  "http://ci.example.com/token",
  "http://10.0.0.1/token",
  "http://169.254.169.254/computeMetadata/v1/instance/service-accounts/default/identity?audience=x",
  "http://169.254.169.254/metadata/identity/oauth2/../../instance",
  "http://169.254.169.254/metadata/identity/oauth2/token/../../../../computeMetadata/v1/",
  "http://169.254.169.254:8080/metadata/identity/oauth2/token",
  "http://x@169.254.169.254/metadata/identity/oauth2/token",
  "http://169.254.169.254/latest/meta-data/iam/security-credentials",
  "https://169.254.169.254/metadata/identity/oauth2/token",
  "http://metadata.google.internal/computeMetadata/v1/",
  "https://sts.googleapis.com:8443/x",
]) {
  test(`subject tokens are not got from ${url}`, () => {
    assert.throws(() => checkSubjectUrl(new URL(url), rules, "url"), /which is refused: /);
  });
}

for (const url of [
  "http://169.254.169.254/latest/meta-data/placement/availability-zone",
  "http://169.254.169.254/latest/meta-data/iam/security-credentials",
  "http://[fd00:ec2::254]/latest/api/token",
  "http://127.0.0.1:9000/latest/api/token",
]) {
  test(`aws' metadata service is asked at ${url}`, () => checkAwsUrl(new URL(url), "url"));
}

for (const url of [
  "http://169.254.169.254/computeMetadata/v1/instance/service-accounts/default/token",
  "http://169.254.169.254/latest/meta-data/iam/security-credentials/../../../../computeMetadata/v1",
  "http://169.254.169.254/latest/user-data",
  "http://169.254.169.254:81/latest/api/token",
  "http://10.1.2.3/latest/api/token",
  "https://169.254.169.254/latest/api/token",
  "http://169.254.170.2/latest/api/token",
]) {
  test(`aws' metadata service is not taken to be ${url}`, () => {
    assert.throws(() => checkAwsUrl(new URL(url), "url"), /it is not aws' metadata service/);
  });
}
