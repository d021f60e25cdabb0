import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { after, test } from "node:test";
import fc from "fast-check";
import type { JSONWebKeySet } from "jose";
import { OAuth2Server } from "oauth2-mock-server";
import type { ExternalAccountSourceConfig, TokenSourceConfig } from "../../src/config/config.ts";
import type { CallerToken } from "../../src/core/caller-token.ts";
import { systemClock } from "../../src/core/clock.ts";
import { Secret } from "../../src/core/secret.ts";
import { createTokenSources, type TokenSources } from "../../src/credentials/create.ts";
import type { TokenHolder } from "../../src/credentials/token.ts";
import { AUDIENCE, impersonationUrl, POOL, startFederation } from "../fakes/federation.ts";
import { createEnvironment } from "../fakes/token-credentials.ts";
import { configureGoogle } from "../fakes/token-google.ts";
import { getError, getToken } from "../fakes/token-set-up.ts";

const federation = await startFederation();
const oidc = new OAuth2Server();
await oidc.issuer.keys.generate("RS256");
await oidc.start(0, "127.0.0.1");
after(async () => {
  await oidc.stop();
  await federation[Symbol.asyncDispose]();
});
const { emulator, folder, credential } = federation;
const issuer = oidc.issuer.url ?? "";
const jwks: JSONWebKeySet = { keys: oidc.issuer.keys.toJSON() };
await emulator.admin.addIssuer({ issuer, jwks });
const ACCOUNT = "sops@emulated-project.iam.gserviceaccount.com";

/** As the verifier hands it on; a caller's token that Google's provider takes as well. */
async function bring(sub: string, aud: string | string[] = `https:${AUDIENCE}`): Promise<CallerToken> {
  const text = await oidc.issuer.buildToken({
    scopesOrTransform: (_header, payload) => void Object.assign(payload, { sub, aud }),
  });
  const id = createHash("sha256").update(text).digest("base64url");
  return { text: new Secret(text), id, expiresAtMs: Date.now() + 3_600_000 };
}

async function createSources(
  more: Readonly<Record<string, TokenSourceConfig>> = {},
  changes: Readonly<Record<string, unknown>> = {},
): Promise<TokenSources> {
  const location = await folder.write("caller.json", credential({ file: "/never/read" }, changes));
  const caller: ExternalAccountSourceConfig = {
    type: "external_account",
    credential: location,
    delegates: [],
    lifetimeMs: undefined,
    allowExecutable: false,
    subjectTokenHosts: [],
    subjectTokenFrom: "caller",
  };
  const { url } = emulator;
  const google = configureGoogle({ kms: url, oauth2: url, sts: url, iamCredentials: url, metadata: url });
  const tokenSources = new Map<string, TokenSourceConfig>([["caller", caller], ...Object.entries(more)]);
  return createTokenSources({ google, tokenSources }, createEnvironment(), systemClock, () => {}, { random: () => 0 });
}

function holderOf(holder: TokenHolder, token: CallerToken | undefined): TokenHolder {
  const own = holder.forCaller?.(token);
  assert.ok(own);
  return own;
}

const principalOf = (sub: string) => `principal://iam.googleapis.com/${POOL}/subject/${sub}`;
const exchanges = () => emulator.admin.requests().counts["sts.token"] ?? 0;

test("each caller's own token becomes Google's, and nobody gets another's", async () => {
  const source = (await createSources()).holderFor(["caller"]);
  const [alice, bob] = [await bring("alice"), await bring("bob")];
  const before = exchanges();
  const tokens = await Promise.all([alice, bob, alice, bob, alice].map((token) => getToken(holderOf(source, token))));
  assert.deepEqual(
    tokens.map(({ principal }) => principal),
    ["alice", "bob", "alice", "bob", "alice"].map(principalOf),
  );
  assert.equal(new Set(tokens.map(({ accessToken }) => accessToken.reveal())).size, 2);
  assert.equal(exchanges() - before, 2);
  assert.deepEqual(tokens[0]?.steps, ["subject token from the caller", `exchanged at ${new URL(emulator.url).host}`]);
});

test("two tokens of one subject are two callers: what Google lets them do may hang on their other claims", async () => {
  const source = (await createSources()).holderFor(["caller"]);
  const other = await bring("alice", [`https:${AUDIENCE}`, "https://also.example"]);
  assert.notEqual(holderOf(source, await bring("alice")), holderOf(source, other));
});

test("in 1,000 interleaved calls of many callers no token is shared", async () => {
  const source = (await createSources()).holderFor(["caller"]);
  const callers = await Promise.all(
    Array.from({ length: 20 }, async (_, index) => ({ index, token: await bring(`c${index}`) })),
  );
  const before = exchanges();
  const calls = fc.array(fc.constantFrom(...callers), { minLength: 1_000, maxLength: 1_000 });
  const owners = new Map<string, number>();
  await fc.assert(
    fc.asyncProperty(calls, fc.scheduler(), async (order, scheduler) => {
      const asking = order.map(({ index, token }) =>
        scheduler.schedule(Promise.resolve()).then(async () => {
          const { principal, accessToken } = await getToken(holderOf(source, token));
          assert.equal(principal, principalOf(`c${index}`));
          const owner = owners.get(accessToken.reveal()) ?? index;
          assert.equal(owner, index);
          owners.set(accessToken.reveal(), index);
        }),
      );
      await scheduler.waitAll();
      await Promise.all(asking);
    }),
    { numRuns: 3 },
  );
  assert.equal(owners.size, 20);
  assert.equal(exchanges() - before, 20);
});

test("one caller's refused exchange is that caller's alone", async () => {
  const source = (await createSources()).holderFor(["caller"]);
  const [bad, good] = [await bring("mallory", "https://elsewhere.example"), await bring("alice")];
  const [error, token] = await Promise.all([getError(holderOf(source, bad)), getToken(holderOf(source, good))]);
  assert.equal(error.code, "credential_rejected");
  assert.match(error.message, /HTTP 400 invalid_grant/);
  assert.match(error.message, /as: principal:\/\/.*\/subject\/mallory/);
  assert.ok(!error.message.includes(bad.text.reveal()));
  assert.equal(token.principal, principalOf("alice"));
});

test("a file that impersonates does so for each caller", async () => {
  const url = impersonationUrl(emulator, ACCOUNT);
  const source = (await createSources({}, { service_account_impersonation_url: url })).holderFor(["caller"]);
  const [one, two] = await Promise.all(
    ["alice", "bob"].map(async (sub) => getToken(holderOf(source, await bring(sub)))),
  );
  assert.deepEqual([one?.principal, two?.principal], [ACCOUNT, ACCOUNT]);
  assert.notEqual(one?.accessToken.reveal(), two?.accessToken.reveal());
});

test("a source that impersonates over it has tokens for each caller as well", async () => {
  const target = { type: "impersonated_service_account", source: "caller", target: ACCOUNT } as const;
  const sources = await createSources({ deployer: { ...target, delegates: [], lifetimeMs: 600_000 } });
  const deployer = sources.holderFor(["deployer"]);
  const alice = await bring("alice");
  const token = await getToken(holderOf(deployer, alice));
  assert.equal(token.principal, ACCOUNT);
  assert.equal(await getToken(holderOf(deployer, alice)), token);
  assert.notEqual(await getToken(holderOf(deployer, await bring("bob"))), token);
  assert.equal((await getError(holderOf(deployer, undefined))).code, "credential_missing");
});

test("a chain asks its next member for those who bring no token, and for no other reason", async () => {
  const fallback = await folder.write("fallback.token", "emulated-static");
  const sources = await createSources({ machine: { type: "access_token", token: fallback } });
  const chain = sources.holderFor(["caller", "machine"]);
  const alice = await bring("alice");
  assert.equal((await getToken(holderOf(chain, alice))).principal, principalOf("alice"));
  assert.equal(holderOf(chain, alice), holderOf(chain, alice));
  const { steps } = await getToken(holderOf(chain, undefined));
  assert.match(steps[0] ?? "", /^passed over caller: .*the call brings none/);
  const error = await getError(holderOf(chain, await bring("mallory", "https://elsewhere.example")));
  assert.equal(error.code, "credential_rejected");
});

test("a chain of sources that are everybody's is everybody's", async () => {
  const fallback = await folder.write("fallback.token", "emulated-static");
  const machine = { type: "access_token", token: fallback } as const;
  const { holderFor } = await createSources({ one: machine, two: machine });
  assert.equal(holderFor(["one", "two"]).forCaller, undefined);
});

test("a credential whose subject tokens are no JWTs is refused", async () => {
  const type = "urn:ietf:params:oauth:token-type:saml2";
  const source = (await createSources({}, { subject_token_type: type })).holderFor(["caller"]);
  const error = await getError(holderOf(source, await bring("alice")));
  assert.match(error.message, /"subject_token_type" is not that of a JWT/);
});
