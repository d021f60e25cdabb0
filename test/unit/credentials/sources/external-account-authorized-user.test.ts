import assert from "node:assert/strict";
import { copyFile, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { inspect } from "node:util";
import { ExternalAccountAuthorizedUserClient } from "google-auth-library";
import type { TokenSourceConfig } from "../../../../src/config/config.ts";
import { type EmulatedSetUp, readJson, setUpEmulated } from "../../../fakes/emulated-set-up.ts";
import { getError, getToken } from "../../../fakes/token-set-up.ts";

const REFRESH_TOKEN = /emulated-workforce-refresh|canary/;

// For the tests that leave nothing behind: each start of an emulator makes keys, which takes its time.
let shared: EmulatedSetUp;
before(async () => {
  shared = await setUpEmulated();
});
after(() => shared[Symbol.asyncDispose]());

/** A source over a copy of the emulator's login, with changes. */
async function write(setUp: EmulatedSetUp, changes: Record<string, unknown> = {}): Promise<TokenSourceConfig> {
  const login = { ...(await readJson(setUp.emulator.files.externalAccountAuthorizedUser)), ...changes };
  return { type: "external_account_authorized_user", credential: await setUp.folder.write("login.json", login) };
}

/** One token after the other. */
async function refresh(setUp: EmulatedSetUp, source: TokenSourceConfig, times: number, stateDirectory?: string) {
  const holder = setUp.create({ subject: source }, stateDirectory === undefined ? {} : { stateDirectory })("subject");
  for (let time = 0; time < times; time += 1) holder.invalidate((await getToken(holder)).generation);
}

test("each token costs one refresh token, and the next one is remembered", async () => {
  await using setUp = await setUpEmulated();
  await refresh(setUp, await write(setUp), 2);
  assert.equal(setUp.requests("sts.oauthtoken"), 2);
  assert.equal(setUp.warnings.length, 1);
  assert.match(setUp.warnings[0] ?? "", /login\.json was replaced .* it is lost at a restart, set stateDirectory/);
  assert.doesNotMatch(setUp.warnings.join(), REFRESH_TOKEN);
});

test("two sources over one login, and both their scopes, never use a refresh token twice", async () => {
  await using setUp = await setUpEmulated();
  const login = await write(setUp);
  const impersonating: TokenSourceConfig = {
    type: "impersonated_service_account",
    source: "one",
    target: setUp.emulator.principals.impersonated,
    delegates: [],
    lifetimeMs: 600_000,
  };
  const { url } = setUp.emulator;
  const endpoints = { oauth2: url, sts: url, iamCredentials: url };
  const holderOf = setUp.create({ one: login, two: login, above: impersonating }, { endpoints });
  const tokens = await Promise.all(["one", "two", "above"].map((name) => getToken(holderOf(name))));
  assert.equal(new Set(tokens.map((token) => token.accessToken.reveal())).size, 3);
  assert.equal(setUp.requests("sts.oauthtoken"), 3);
  assert.deepEqual(
    setUp.emulator.admin.requests().requests.map(({ status }) => status),
    [200, 200, 200, 200],
  );
});

test("with a state directory the replaced refresh token outlives this process", async () => {
  await using setUp = await setUpEmulated();
  const login = await write(setUp);
  await refresh(setUp, login, 1, "state");
  // Another file is another login as far as the memory of this process goes: only the state can help.
  const [name = ""] = await readdir(join(setUp.folder.path, "state"));
  const kept = JSON.parse(await readFile(join(setUp.folder.path, "state", name), "utf8"));
  assert.match(kept.current, /^emulated-workforce-refresh/);
  await refresh(setUp, login, 2, "state");
  assert.deepEqual(setUp.warnings, []);
});

test("a refresh token that was used is refused, with what to do, and is not shown", async () => {
  await using setUp = await setUpEmulated();
  const login = await write(setUp);
  await refresh(setUp, login, 1);
  const old = join(setUp.folder.path, "old.json");
  await copyFile(join(setUp.folder.path, "login.json"), old);
  const source: TokenSourceConfig = {
    ...login,
    type: "external_account_authorized_user",
    credential: { kind: "file", path: old },
  };
  const error = await getError(setUp.create({ subject: source })("subject"));
  assert.equal(error.code, "credential_rejected");
  assert.match(
    error.message,
    /refused to give a token \(HTTP 400 invalid_grant\)\ntoken source: subject\nto do: log in again/,
  );
  assert.doesNotMatch(error.message + inspect(error, { depth: 9 }), REFRESH_TOKEN);
});

test("a new login in the old one's place is used at the next refresh, whatever state there is", async () => {
  await using setUp = await setUpEmulated();
  const login = await write(setUp, { refresh_token: "canary-ended" });
  const holder = setUp.create({ subject: login }, { stateDirectory: "state" })("subject");
  assert.equal((await getError(holder)).code, "credential_rejected");
  await write(setUp);
  const again = setUp.create({ subject: login }, { stateDirectory: "state" })("subject");
  const first = await getToken(again);
  // Only the file has a token that works now; the state's is of the login before.
  const [name = ""] = await readdir(join(setUp.folder.path, "state"));
  const state = await readJson(join(setUp.folder.path, "state", name));
  await writeFile(join(setUp.folder.path, "state", name), JSON.stringify({ ...state, current: "canary-stale" }));
  await write(setUp, { refresh_token: state["current"] });
  again.invalidate(first.generation);
  assert.ok((await getToken(again)).generation > first.generation);
});

const refusals: readonly (readonly [what: string, changes: Record<string, unknown>, message: RegExp])[] = [
  ["a client secret that is wrong", { client_secret: "canary-wrong" }, /invalid_client\)\n.*\nto do: check client_id/],
  ["no refresh token", { refresh_token: undefined }, /"refresh_token" is missing/],
  [
    "a token_url of a foreign host",
    { token_url: "https://sts.example.com/v1/oauthtoken" },
    /"token_url" in file .* names https:\/\/sts\.example\.com, which is refused: it is not a host of googleapis\.com/,
  ],
  [
    "a token_url at the metadata server",
    { token_url: "http://169.254.169.254/v1/oauthtoken" },
    /which is refused: it is a link-local address/,
  ],
  ["another universe", { universe_domain: "example.goog" }, /is of another universe than the config's googleapis\.com/],
];

for (const [what, changes, message] of refusals) {
  test(`${what} is refused before or by the endpoint, and shown in no error`, async () => {
    const error = await getError(shared.create({ subject: await write(shared, changes) })("subject"));
    assert.equal(error.code, "credential_rejected");
    assert.match(error.message, message);
    assert.doesNotMatch(error.message + inspect(error, { depth: 9 }), REFRESH_TOKEN);
  });
}

test("a login without a token_url is asked for at the usual place, which the config may move", async () => {
  await using setUp = await setUpEmulated();
  const holder = setUp.create({ subject: await write(setUp, { token_url: undefined }) })("subject");
  const { host } = new URL(setUp.emulator.url);
  assert.match((await getToken(holder)).steps.join(), new RegExp(`login\\.json,token exchange at ${host}$`));
});

test("Google's own client takes the emulator for the real thing", async () => {
  await using setUp = await setUpEmulated();
  const login = await readJson(setUp.emulator.files.externalAccountAuthorizedUser);
  const client = new ExternalAccountAuthorizedUserClient({
    ...login,
    type: "external_account_authorized_user",
  } as ConstructorParameters<typeof ExternalAccountAuthorizedUserClient>[0]);
  assert.match((await client.getAccessToken()).token ?? "", /^emulated\.sts\./);
});
