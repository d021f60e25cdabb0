import assert from "node:assert/strict";
import { test } from "node:test";
import { authorizedUser } from "../../../fakes/token-credentials.ts";
import { getError, getToken, setUpTokens, type TokenSetUp } from "../../../fakes/token-set-up.ts";

async function createHolder(setUp: TokenSetUp, changes: Record<string, unknown> = {}) {
  const credential = await setUp.folder.write("user.json", authorizedUser(changes));
  return setUp.create({ subject: { type: "authorized_user", credential } })("subject");
}

test("a login without an account name gives a token of nobody in particular", async () => {
  await using setUp = await setUpTokens();
  const token = await getToken(await createHolder(setUp, { account: undefined }));
  assert.equal(token.principal, undefined);
  assert.match(token.steps[0] ?? "", /^refresh token from file .*user\.json$/);
});

test("a login that ended is to be made anew", async () => {
  await using setUp = await setUpTokens();
  const error = await getError(await createHolder(setUp, { refresh_token: "canary-ended" }));
  assert.equal(error.code, "credential_rejected");
  assert.match(error.message, /invalid_grant/);
  assert.match(error.message, /to do: run gcloud auth application-default login again/);
  assert.doesNotMatch(error.message, /canary/);
});

test("a client that is not known is told by the fields to check", async () => {
  await using setUp = await setUpTokens();
  const { message } = await getError(await createHolder(setUp, { client_secret: "canary-wrong" }));
  assert.match(message, /HTTP 400 invalid_client/);
  assert.match(message, /check client_id and client_secret/);
});

for (const trouble of [{ status: 503, body: "" }, "close"] as const) {
  test(`the library adds no retries to ours: ${JSON.stringify(trouble)} is asked three times`, async () => {
    await using setUp = await setUpTokens();
    setUp.endpoint.trouble = trouble;
    assert.equal((await getError(await createHolder(setUp))).code, "credential_unavailable");
    assert.equal(setUp.endpoint.requests.length, 3);
  });
}

test("a quota project in the file is not used", async () => {
  await using setUp = await setUpTokens();
  await getToken(await createHolder(setUp, { quota_project_id: "other" }));
  assert.equal(setUp.endpoint.requests[0]?.headers["x-goog-user-project"], undefined);
});
