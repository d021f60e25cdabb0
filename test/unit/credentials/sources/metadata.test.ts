import assert from "node:assert/strict";
import { createServer } from "node:net";
import { test } from "node:test";
import { createFakeClock } from "../../../fakes/clock.ts";
import { ACCOUNT } from "../../../fakes/token-endpoint.ts";
import { configureGoogle } from "../../../fakes/token-google.ts";
import { getError, getToken, setUpTokens } from "../../../fakes/token-set-up.ts";

const metadata = (account = "default") => ({ subject: { type: "metadata", account, timeoutMs: 3000 } }) as const;

test("the machine's own account is asked for its token and its name, with Google's header", async () => {
  await using setUp = await setUpTokens();
  const token = await getToken(setUp.create(metadata())("subject"));
  assert.equal(token.principal, ACCOUNT);
  assert.ok(token.expiresAtMs - Date.now() > 3_590_000);
  assert.deepEqual(
    setUp.endpoint.requests.map((request) => request.path),
    [
      "/computeMetadata/v1/instance/service-accounts/default/token?scopes=https%3A%2F%2Fwww.googleapis.com%2Fauth%2Fcloudkms",
      "/computeMetadata/v1/universe/universe-domain",
      "/computeMetadata/v1/instance/service-accounts/default/email",
    ],
  );
});

test("a machine of another universe than the config's is refused", async () => {
  await using setUp = await setUpTokens();
  const google = configureGoogle({ metadata: setUp.endpoint.url }, "example.cloud");
  const error = await getError(setUp.create(metadata(), { google })("subject"));
  assert.equal(error.code, "credential_rejected");
  assert.match(error.message, /this machine is of another universe than the config's example.cloud/);
});

test("another account of the machine is asked for by its address, which is its name", async () => {
  await using setUp = await setUpTokens();
  assert.equal((await getToken(setUp.create(metadata(ACCOUNT))("subject"))).principal, ACCOUNT);
  // And for its universe; not for the account's name.
  assert.equal(setUp.endpoint.requests.length, 2);
});

test("an account that the machine does not have is refused, with what to check", async () => {
  await using setUp = await setUpTokens();
  const error = await getError(setUp.create(metadata("other@example.com"))("subject"));
  assert.equal(error.code, "credential_rejected");
  assert.match(error.message, /check that the account other@example.com is attached/);
});

test("GCE_METADATA_HOST says where it is, unless the config does", async () => {
  await using setUp = await setUpTokens();
  const variables = { GCE_METADATA_HOST: new URL(setUp.endpoint.url).host };
  const google = configureGoogle({});
  assert.equal((await getToken(setUp.create(metadata(), { variables, google })("subject"))).principal, ACCOUNT);
});

test("METADATA_SERVER_DETECTION=none means that there is no credential here", async () => {
  await using setUp = await setUpTokens();
  const error = await getError(setUp.create(metadata(), { google: configureGoogle({}) })("subject"));
  assert.equal(error.code, "credential_missing");
});

test("whoever answers without Google's header is not believed, even with a token", async () => {
  await using setUp = await setUpTokens();
  setUp.endpoint.trouble = { status: 200, body: { access_token: "canary-evil", expires_in: 3600 } };
  const error = await getError(setUp.create(metadata())("subject"));
  assert.equal(error.code, "credential_unavailable");
  assert.match(error.message, /is not google's metadata server/);
});

test("a server that accepts and says nothing is given up after the source's own time", async () => {
  await using setUp = await setUpTokens();
  await using server = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => {
    server.once("listening", resolve);
  });
  const address = server.address();
  assert.ok(address !== null && typeof address !== "string");
  const clock = createFakeClock();
  const google = configureGoogle({ metadata: `http://127.0.0.1:${address.port}` });
  const arrivals = Array.from({ length: 3 }, () => Promise.withResolvers<void>());
  let count = 0;
  server.on("connection", (socket) => {
    socket.on("error", () => {});
    socket.once("data", () => arrivals[count++]?.resolve());
  });
  const error = getError(setUp.create(metadata(), { google, clock })("subject"));
  for (const arrival of arrivals) {
    await arrival.promise;
    await clock.pass(3000);
  }
  assert.match((await error).message, /did not answer in time/);
  assert.equal((await error).code, "credential_unavailable");
});
