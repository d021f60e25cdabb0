import assert from "node:assert/strict";
import { test } from "node:test";
import { toRefusalError } from "../../../src/credentials/token-errors.ts";

const context = { source: "team-a", principal: "a@example.com", remedyFor: () => undefined };
const respond = (status: number, body: unknown) =>
  toRefusalError({ status, headers: new Map(), text: JSON.stringify(body) }, "oauth2.googleapis.com", context);

const CASES = [
  { status: 400, body: { error: "invalid_grant" }, code: "credential_rejected" },
  { status: 401, body: { error: "invalid_client" }, code: "credential_rejected" },
  { status: 401, body: { error: "unauthorized_client" }, code: "credential_rejected" },
  { status: 403, body: { error: { code: 403, status: "PERMISSION_DENIED" } }, code: "credential_rejected" },
  { status: 404, body: "no such page", code: "credential_rejected" },
  { status: 301, body: "", code: "credential_rejected" },
  { status: 408, body: "", code: "credential_unavailable" },
  { status: 429, body: { error: { status: "RESOURCE_EXHAUSTED" } }, code: "credential_unavailable" },
  { status: 500, body: { error: "internal_failure" }, code: "credential_unavailable" },
  { status: 503, body: "<html>", code: "credential_unavailable" },
];

for (const { status, body, code } of CASES) {
  test(`HTTP ${status} with ${JSON.stringify(body)} is ${code}`, () => {
    const error = respond(status, body);
    assert.equal(error.code, code);
    assert.match(error.message, new RegExp(`HTTP ${status}`));
    assert.match(error.message, /oauth2\.googleapis\.com/);
    assert.match(error.message, /token source: team-a, as: a@example.com/);
    assert.match(error.message, /\nto do: /);
  });
}

const HINTS = [
  ["Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe.", /set the clock/],
  ["Invalid JWT Signature.", /the key was deleted/],
  ["Invalid grant: account not found", /exists and is enabled/],
  ["Token has been expired or revoked.", /gcloud auth application-default login/],
  ["ID Token issued at 1700000000 is stale to sign-in.", /renews it/],
  ["The audience in ID Token [x] does not match the expected audience y.", /issued for the audience/],
  ["The issuer in ID Token https://x does not match the expected ones: https://y", /issuer and its keys/],
  ["Error connecting to the given credential's issuer.", /issuer and its keys/],
  ["The given credential is rejected by the attribute condition.", /attribute condition/],
  ["reauth related error (invalid_rapt)", /gcloud auth application-default login/],
] as const;

for (const [description, remedy] of HINTS) {
  test(`"${description}" is told as what to do about it, and not quoted`, () => {
    const error = respond(400, { error: "invalid_grant", error_description: description });
    assert.match(error.message, remedy);
    assert.match(error.message, /HTTP 400 invalid_grant/);
    assert.ok(!error.message.includes(description));
  });
}

test("google's own reason stands in the error", () => {
  const details = [{ "@type": "type.googleapis.com/google.rpc.ErrorInfo", reason: "SERVICE_DISABLED" }];
  const error = respond(403, { error: { status: "PERMISSION_DENIED", message: "long", details } });
  assert.match(error.message, /HTTP 403 PERMISSION_DENIED SERVICE_DISABLED/);
});

test("an error code that is not one stays out of the message", () => {
  for (const code of ["ya29.secret with spaces", "eyJhbGciOi\n", "x".repeat(100), 7, null, ["invalid_grant"]]) {
    assert.match(respond(400, { error: code }).message, /\(HTTP 400\)/);
  }
});

test("a 401 of a request that another source's token made is told to that source, and passes", () => {
  let told = 0;
  const onUnauthorized = () => {
    told += 1;
  };
  const impersonation = { ...context, onUnauthorized };
  const response = { status: 401, headers: new Map(), text: "" };
  assert.equal(toRefusalError(response, "host", impersonation).code, "credential_unavailable");
  assert.equal(told, 1);
  assert.equal(toRefusalError({ ...response, status: 403 }, "host", impersonation).code, "credential_rejected");
  assert.equal(told, 1);
});
