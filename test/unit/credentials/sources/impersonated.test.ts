import assert from "node:assert/strict";
import { test } from "node:test";
import type { TokenSourceConfig } from "../../../../src/config/config.ts";
import { authorizedUser, impersonated, serviceAccountKey } from "../../../fakes/token-credentials.ts";
import { ACCOUNT, USER } from "../../../fakes/token-endpoint.ts";
import { getError, getToken, setUpTokens, type TokenSetUp } from "../../../fakes/token-set-up.ts";

const TARGET = "target@prod.iam.gserviceaccount.com";

function over(source: string, changes: { target?: string; delegates?: string[]; lifetimeMs?: number } = {}) {
  const defaults = { target: TARGET, delegates: [], lifetimeMs: 600_000 };
  return { type: "impersonated_service_account", source, ...defaults, ...changes } satisfies TokenSourceConfig;
}

async function base(setUp: TokenSetUp): Promise<TokenSourceConfig> {
  const credential = await setUp.folder.write("key.json", serviceAccountKey(setUp.endpoint.privateKeyPem));
  return { type: "service_account", credential, grant: "oauth" };
}

test("the base's token asks for the target's, with delegates in full and the lifetime in seconds", async () => {
  await using setUp = await setUpTokens();
  const delegates = ["via@x.iam.gserviceaccount.com", "projects/-/serviceAccounts/last@x.iam.gserviceaccount.com"];
  const holder = setUp.create({ base: await base(setUp), top: over("base", { delegates }) })("top");
  const token = await getToken(holder);
  assert.equal(token.principal, TARGET);
  assert.ok(token.expiresAtMs - Date.now() <= 600_000);
  assert.equal(token.steps.at(-1), `impersonated ${TARGET}`);
  assert.match(token.steps[0] ?? "", new RegExp(`^key of ${ACCOUNT}`));
  const request = setUp.endpoint.requests[1];
  assert.equal(request?.path, `/v1/projects/-/serviceAccounts/${TARGET}:generateAccessToken`);
  assert.deepEqual(JSON.parse(request?.body ?? ""), {
    delegates: [
      "projects/-/serviceAccounts/via@x.iam.gserviceaccount.com",
      "projects/-/serviceAccounts/last@x.iam.gserviceaccount.com",
    ],
    scope: ["https://www.googleapis.com/auth/cloudkms"],
    lifetime: "600s",
  });
});

test("many impersonations over one source share its one token", async () => {
  await using setUp = await setUpTokens();
  const names = Array.from({ length: 20 }, (_, index) => `top${index}`);
  const tops = names.map((name) => [name, over("base", { target: `${name}@prod.iam.gserviceaccount.com` })] as const);
  const holderOf = setUp.create({ base: await base(setUp), ...Object.fromEntries(tops) });
  await Promise.all(names.map((name) => getToken(holderOf(name))));
  assert.equal(setUp.endpoint.requests.filter((request) => request.path === "/token").length, 1);
});

test("a base token that is refused is replaced, and the caller does not notice", async () => {
  await using setUp = await setUpTokens();
  const holderOf = setUp.create({ base: await base(setUp), first: over("base"), top: over("base") });
  await getToken(holderOf("first"));
  setUp.endpoint.issued.clear();
  assert.equal((await getToken(holderOf("top"))).principal, TARGET);
  assert.deepEqual(
    setUp.endpoint.requests.map((request) => request.path.split(":").at(-1)),
    ["/token", "generateAccessToken", "generateAccessToken", "/token", "generateAccessToken"],
  );
});

test("an expiry further away than the life that was asked for is not believed: our clock is behind", async () => {
  await using setUp = await setUpTokens();
  const machine = { type: "metadata", account: "default", timeoutMs: 3000 } as const;
  const holder = setUp.create({ machine, first: over("machine"), top: over("machine") });
  await getToken(holder("first"));
  const expireTime = new Date(Date.now() + 2 * 3_600_000).toISOString();
  setUp.endpoint.trouble = { status: 200, body: { accessToken: "ya29.token", expireTime } };
  assert.ok((await getToken(holder("top"))).expiresAtMs <= Date.now() + 600_000);
});

test("a source that rules use as well holds a token for each purpose", async () => {
  await using setUp = await setUpTokens();
  const holderOf = setUp.create({ base: await base(setUp), top: over("base") });
  const [direct, impersonated] = await Promise.all([getToken(holderOf("base")), getToken(holderOf("top"))]);
  assert.equal(direct.principal, ACCOUNT);
  assert.equal(impersonated.principal, TARGET);
  assert.equal(setUp.endpoint.requests.filter((request) => request.path === "/token").length, 2);
});

test("where the right is missing, the error says which role to grant to whom on what", async () => {
  await using setUp = await setUpTokens();
  const target = "forbidden@prod.iam.gserviceaccount.com";
  const holder = setUp.create({ base: await base(setUp), top: over("base", { target }) })("top");
  const error = await getError(holder);
  assert.equal(error.code, "credential_rejected");
  assert.match(error.message, /HTTP 403 PERMISSION_DENIED/);
  assert.ok(error.message.includes(`grant roles/iam.serviceAccountTokenCreator to ${ACCOUNT} on ${target}`));
});

test("a base without a credential makes the impersonation one without a credential, for a chain to pass over", async () => {
  await using setUp = await setUpTokens();
  const token = { kind: "env", variable: "ABSENT" } as const;
  const holder = setUp.create({ base: { type: "access_token", token }, top: over("base") })("top");
  const error = await getError(holder);
  assert.equal(error.code, "credential_missing");
  assert.match(error.message, /token source: base/);
});

async function fromFile(setUp: TokenSetUp, content: Record<string, unknown>) {
  const credential = await setUp.folder.write("adc.json", content);
  return setUp.create({ subject: { type: "impersonated_service_account", credential } })("subject");
}

test("the file that gcloud writes brings its own source along", async () => {
  await using setUp = await setUpTokens();
  const token = await getToken(await fromFile(setUp, impersonated(authorizedUser(), TARGET)));
  assert.equal(token.principal, TARGET);
  assert.match(token.steps.join(), /refresh token from file .*adc\.json,impersonated target@/);
});

test("the person who must get the role is named where the file names one", async () => {
  await using setUp = await setUpTokens();
  const content = impersonated(authorizedUser(), "forbidden@prod.iam.gserviceaccount.com");
  assert.match((await getError(await fromFile(setUp, content))).message, new RegExp(`TokenCreator to ${USER} on`));
});

const UNUSABLE = [
  { changes: { service_account_impersonation_url: undefined }, says: /url" names no service account/ },
  { changes: { service_account_impersonation_url: "https://iamcredentials.googleapis.com/v1/x" }, says: /names no/ },
  { changes: { service_account_impersonation_url: "https://iamcredentials.googleapis.com/v1/%" }, says: /names no/ },
  {
    changes: {
      service_account_impersonation_url: `https://evil.example/v1/projects/-/serviceAccounts/${TARGET}:generateAccessToken`,
    },
    says: /evil\.example, which is refused/,
  },
  { changes: { universe_domain: "other.example" }, says: /of another universe than the config's googleapis.com/ },
  { changes: { source_credentials: undefined }, says: /"source_credentials" is not an object/ },
  { changes: { source_credentials: impersonated({}, TARGET) }, says: /is itself impersonated/ },
  { changes: { source_credentials: { type: "authorized_user" } }, says: /"source_credentials\.client_id" is missing/ },
  { changes: { source_credentials: { type: "external_thing" } }, says: /type external_thing, which is not supported/ },
  { changes: { source_credentials: { type: "canary: no type" } }, says: /of an unknown type/ },
  { changes: { delegates: "via@x" }, says: /"delegates" is not a list/ },
];

for (const { changes, says } of UNUSABLE) {
  test(`a file with ${JSON.stringify(changes).slice(0, 90)} is refused before anything is sent`, async () => {
    await using setUp = await setUpTokens();
    const error = await getError(await fromFile(setUp, impersonated(authorizedUser(), TARGET, changes)));
    assert.equal(error.code, "credential_rejected");
    assert.match(error.message, says);
    assert.doesNotMatch(error.message, /canary/);
    assert.equal(setUp.endpoint.requests.length, 0);
  });
}
