import assert from "node:assert/strict";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { authorizedUser, serviceAccountKey } from "../../../fakes/token-credentials.ts";
import { ACCOUNT, USER } from "../../../fakes/token-endpoint.ts";
import { configureGoogle } from "../../../fakes/token-google.ts";
import { getError, getToken, setUpTokens, type TokenSetUp } from "../../../fakes/token-set-up.ts";

const DEFAULT = { subject: { type: "default" } } as const;

/** A holder for sops' order, with no metadata server unless the endpoint's is asked for. */
function createHolder(setUp: TokenSetUp, variables: Record<string, string>, withMetadata = false) {
  const { url } = setUp.endpoint;
  const google = configureGoogle({ oauth2: url, iamCredentials: url, ...(withMetadata ? { metadata: url } : {}) });
  return setUp.create(DEFAULT, { variables, google })("subject");
}

async function fill(setUp: TokenSetUp): Promise<Record<string, string>> {
  const key = serviceAccountKey(setUp.endpoint.privateKeyPem);
  await mkdir(join(setUp.folder.path, ".config/gcloud"), { recursive: true });
  await setUp.folder.write(".config/gcloud/application_default_credentials.json", authorizedUser());
  await setUp.folder.write("application_default_credentials.json", authorizedUser({ account: "sdk@example.com" }));
  const named = await setUp.folder.write("named.json", authorizedUser({ account: "named@example.com" }));
  return {
    GOOGLE_CREDENTIALS: JSON.stringify(key),
    GOOGLE_OAUTH_ACCESS_TOKEN: "ya29.from-variable",
    GOOGLE_APPLICATION_CREDENTIALS: named.path,
    CLOUDSDK_CONFIG: setUp.folder.path,
    HOME: setUp.folder.path,
  };
}

test("credentials are looked for in sops' order", async () => {
  await using setUp = await setUpTokens();
  const variables = await fill(setUp);
  const found: (string | undefined)[] = [];
  for (const variable of ["", ...Object.keys(variables)]) {
    delete variables[variable];
    const token = await getToken(createHolder(setUp, variables, true));
    found.push(token.principal ?? token.steps[0]);
  }
  assert.deepEqual(found, [
    ACCOUNT,
    "access token from environment variable GOOGLE_OAUTH_ACCESS_TOKEN",
    "named@example.com",
    "sdk@example.com",
    USER,
    ACCOUNT,
  ]);
});

test("GOOGLE_CREDENTIALS may be a path as well", async () => {
  await using setUp = await setUpTokens();
  const { path } = await setUp.folder.write("key.json", serviceAccountKey(setUp.endpoint.privateKeyPem));
  const token = await getToken(createHolder(setUp, { GOOGLE_CREDENTIALS: path }));
  assert.equal(token.steps[0], `key of ${ACCOUNT} from file ${path}`);
});

test("a credential that is named and bad ends the search: another identity is no cure", async () => {
  await using setUp = await setUpTokens();
  const variables = await fill(setUp);
  for (const GOOGLE_CREDENTIALS of ["/no/such/file", "{}", '{"type":"canary_type"}', "{ not json"]) {
    const error = await getError(createHolder(setUp, { ...variables, GOOGLE_CREDENTIALS }, true));
    assert.equal(error.code, "credential_rejected");
    assert.match(error.message, /environment variable GOOGLE_CREDENTIALS/);
  }
  const { GOOGLE_CREDENTIALS: _, GOOGLE_OAUTH_ACCESS_TOKEN: __, ...rest } = variables;
  const error = await getError(createHolder(setUp, { ...rest, GOOGLE_APPLICATION_CREDENTIALS: "/no/such" }, true));
  assert.equal(error.code, "credential_rejected");
  assert.match(error.message, /GOOGLE_APPLICATION_CREDENTIALS names a file that does not exist/);
  assert.equal(setUp.endpoint.requests.length, 0);
});

test("where nothing is found the error says what to do", async () => {
  await using setUp = await setUpTokens();
  const error = await getError(createHolder(setUp, { HOME: setUp.folder.path }));
  assert.equal(error.code, "credential_missing");
  assert.match(error.message, /no google credential was found/);
  assert.match(error.message, /gcloud auth application-default login/);
});

test("a key file that everybody can read is warned of once, however often it is read", async () => {
  await using setUp = await setUpTokens();
  const { path } = await setUp.folder.write("key.json", serviceAccountKey(setUp.endpoint.privateKeyPem), 0o644);
  const holder = createHolder(setUp, { GOOGLE_CREDENTIALS: path });
  holder.invalidate((await getToken(holder)).generation);
  await getToken(holder);
  assert.equal(setUp.warnings.length, 1);
});
