import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after } from "node:test";
import { OAuth2Server } from "oauth2-mock-server";
import { createCertificate, type TestCertificate } from "../fakes/certificates.ts";
import { createSigningKey, forgeJwt, signHs256, signJwt } from "../fakes/issuer.ts";
import { assertSucceeded, unwrapped } from "./harness/assert-outcome.ts";
import { type Bench, type Keyd, readReadiness, reload, testWithSops } from "./harness/bench.ts";
import { eventually } from "./harness/bounded.ts";
import { type ConfigDocument, KEY, SHOP_KEYS } from "./harness/config.ts";

/** Another address than the one that everything else here uses. */
const ADDRESS = "127.0.0.2";
const FLUX = "spiffe://cluster.local/ns/flux-system/sa/kustomize-controller";
const AUTHORITY = createCertificate({ name: "authority", authority: true });
const OTHER_AUTHORITY = createCertificate({ name: "another authority", authority: true });

const clientWith = (uri: string, more: Partial<Parameters<typeof createCertificate>[0]> = {}): TestCertificate =>
  createCertificate({ name: "client", issuer: AUTHORITY, uris: [uri], ...more });

/** An OIDC server that is not ours. */
const oidc = new OAuth2Server();
await oidc.issuer.keys.generate("RS256");
await oidc.start(0, "127.0.0.1");
after(() => oidc.stop());
const ISSUER = oidc.issuer.url ?? "";
const GOOD_CLAIMS = { aud: "sops-keyd", sub: "repo:acme/app", repository_id: "123" };

async function askForJwt(claims: object): Promise<string> {
  oidc.service.once("beforeTokenSigning", (token: { payload: object }) => Object.assign(token.payload, claims));
  const body = new URLSearchParams({ grant_type: "client_credentials" });
  const response = await fetch(`${ISSUER}/token`, { method: "POST", body });
  const { access_token: token } = (await response.json()) as { access_token: string };
  return token;
}

const CALLERS = {
  flux: { spiffe: FLUX },
  ci: { jwt: { issuer: ISSUER, audience: "sops-keyd", claims: { repository_id: "123" } } },
};

function writeServerConfig(bench: Bench, callers: NonNullable<ConfigDocument["callers"]> = CALLERS): string {
  const server = createCertificate({ name: "server", issuer: AUTHORITY, address: ADDRESS });
  const tls = {
    certificate: bench.write("server.crt", server.certificate),
    privateKey: bench.write("server.key", server.privateKey),
    clientCa: bench.write("ca.crt", AUTHORITY.certificate),
    clientCertificate: "optional",
  };
  return bench.writeConfig({
    listeners: [{ address: `tcp://${ADDRESS}:0`, tls }],
    callers,
    audit: { file: "audit.jsonl", required: true },
    rules: [
      {
        name: "shop",
        match: SHOP_KEYS,
        tokenSource: "shop",
        allow: [{ callers: Object.keys(callers), operations: ["encrypt", "decrypt"] }],
      },
    ],
  });
}

let relays = 0;

/** `sops-keyd connect` to the server, with whatever identity a test gives it. */
async function connect(bench: Bench, { address }: Keyd, identity: readonly string[]): Promise<Keyd> {
  relays += 1;
  const to = address.replace("tcp://", "tls://");
  const listen = `unix://${bench.path(`connect-${relays}.sock`)}`;
  const child = bench.startKeyd([
    "connect",
    ...["--to", to, "--ca", bench.path("ca.crt"), "--listen", listen, "--json"],
    ...identity,
  ]);
  return { child, ...(await readReadiness(child)) };
}

function withCertificate(bench: Bench, { certificate, privateKey }: TestCertificate): readonly string[] {
  const paths = [bench.write("client.crt", certificate), bench.write("client.key", privateKey)];
  return ["--certificate", paths[0] ?? "", "--private-key", paths[1] ?? ""];
}

const withJwt = (bench: Bench, jwt: string): readonly string[] => ["--jwt", `file:${bench.write("jwt", jwt)}`];

async function assertRoundTrip(bench: Bench, relay: Keyd): Promise<void> {
  bench.write("secret.yaml", "password: kept\n");
  assertSucceeded(await bench.sops(relay, ["encrypt", "--gcp-kms", KEY, "-i", "secret.yaml"]));
  assert.equal(assertSucceeded(await bench.sops(relay, ["decrypt", "secret.yaml"])).stdout, "password: kept\n");
}

interface AuditRecord {
  readonly event: string;
  readonly outcome?: string;
  readonly caller?: { readonly names: readonly string[]; readonly proofs: readonly { readonly kind: string }[] };
}

function auditOf(bench: Bench): readonly AuditRecord[] {
  const lines = readFileSync(bench.path("audit.jsonl"), "utf8").trim().split("\n");
  return lines.map((line) => JSON.parse(line) as AuditRecord);
}

async function assertRefused(bench: Bench, relay: Keyd, words: RegExp, outcome: string): Promise<void> {
  bench.write("refused.yaml", "password: kept\n");
  const refused = await bench.sops(relay, ["encrypt", "--gcp-kms", KEY, "refused.yaml"]);
  assert.notEqual(refused.code, 0);
  assert.match(unwrapped(refused), words);
  // Audit is not required here, so that the record may be written after the answer.
  const isRecorded = () => auditOf(bench).findLast(({ event }) => event === "outcome")?.outcome === outcome;
  await eventually(10_000, `a record of ${outcome}`, isRecorded);
}

testWithSops(
  "a stock sops reaches a server elsewhere by a client certificate, and the audit log knows who it was",
  async (bench) => {
    const keyd = await bench.serve(writeServerConfig(bench));
    await assertRoundTrip(bench, await connect(bench, keyd, withCertificate(bench, clientWith(FLUX))));
    const last = auditOf(bench).findLast(({ event }) => event === "outcome");
    assert.deepEqual(last?.caller?.names, ["flux"]);
    assert.ok(last?.caller?.proofs.some(({ kind }) => kind === "certificate"));
  },
);

testWithSops("a stock sops reaches it by the JWT of an OIDC server that is not ours", async (bench) => {
  const keyd = await bench.serve(writeServerConfig(bench));
  await assertRoundTrip(bench, await connect(bench, keyd, withJwt(bench, await askForJwt(GOOD_CLAIMS))));
  const last = auditOf(bench).findLast(({ event }) => event === "outcome");
  assert.deepEqual(last?.caller?.names, ["ci"]);
  assert.ok(last?.caller?.proofs.some(({ kind }) => kind === "jwt"));
});

testWithSops("exec --connect does the same for one command", async (bench) => {
  const keyd = await bench.serve(writeServerConfig(bench));
  await assertRoundTrip(bench, await connect(bench, keyd, withCertificate(bench, clientWith(FLUX))));
  const to = keyd.address.replace("tcp://", "tls://");
  const identity = withJwt(bench, await askForJwt(GOOD_CLAIMS));
  const sops = process.env["SOPS_BIN"] ?? "sops";
  const args = [
    "exec",
    "--connect",
    to,
    "--ca",
    bench.path("ca.crt"),
    ...identity,
    "--",
    sops,
    "decrypt",
    "secret.yaml",
  ];
  assert.equal(assertSucceeded(await bench.keyd(args)).stdout, "password: kept\n");
});

const EXPIRED = { notAfter: new Date(Date.now() - 60_000) };

testWithSops(
  "certificates that are missing, foreign, expired or another's are refused in words, and audited",
  async (bench) => {
    const keyd = await bench.serve(writeServerConfig(bench));
    const refuse = async (identity: readonly string[], words: RegExp, outcome: string) =>
      assertRefused(bench, await connect(bench, keyd, identity), words, outcome);
    await refuse([], /no allow of the rule is for a caller without a name/, "caller_not_allowed");
    for (const [client, words, outcome] of [
      [
        clientWith(FLUX, { issuer: OTHER_AUTHORITY }),
        /was not issued by a CA of this listener/,
        "caller_unauthenticated",
      ],
      [clientWith(FLUX, EXPIRED), /the client certificate expired at 20/, "caller_unauthenticated"],
      [clientWith(`${FLUX}-other`), /no allow of the rule is for a caller without a name/, "caller_not_allowed"],
    ] as const) {
      await refuse(withCertificate(bench, client), words, outcome);
    }
  },
);

testWithSops(
  "tokens with a wrong audience, no signature, a public key for a password, an unknown key or another claim are refused in words, and audited",
  async (bench) => {
    const keyd = await bench.serve(writeServerConfig(bench));
    const stranger = await createSigningKey("unknown-key");
    const now = Math.floor(Date.now() / 1_000);
    const whole = { iss: ISSUER, ...GOOD_CLAIMS, iat: now, exp: now + 300 };
    const { keys } = (await (await fetch(`${ISSUER}/jwks`)).json()) as { keys: readonly object[] };
    const refuse = async (jwt: string, words: RegExp, outcome = "caller_unauthenticated") =>
      assertRefused(bench, await connect(bench, keyd, withJwt(bench, jwt)), words, outcome);
    await refuse(await askForJwt({ ...GOOD_CLAIMS, aud: "another" }), /audience/);
    await refuse(
      await askForJwt({ ...GOOD_CLAIMS, exp: now + 300, iat: now - 90_000 }),
      /it was issued at .*, too long ago/,
    );
    await refuse(forgeJwt({ alg: "none" }, whole), /none/);
    await refuse(forgeJwt({ alg: "HS256" }, whole, signHs256(JSON.stringify(keys[0]))), /HS256/);
    await refuse(await signJwt(stranger, whole, Date.now()), /unknown-key/);
    await refuse(await askForJwt({ ...GOOD_CLAIMS, repository_id: "124" }), /repository_id/);
  },
);

testWithSops("who is taken out of the config is refused from the next call on", async (bench) => {
  const keyd = await bench.serve(writeServerConfig(bench));
  const byCertificate = await connect(bench, keyd, withCertificate(bench, clientWith(FLUX)));
  const byJwt = await connect(bench, keyd, withJwt(bench, await askForJwt(GOOD_CLAIMS)));
  for (const relay of [byCertificate, byJwt]) await assertRoundTrip(bench, relay);
  writeServerConfig(bench, { someone: { spiffe: "spiffe://cluster.local/someone" } });
  await reload(keyd);
  await assertRefused(
    bench,
    byCertificate,
    /no allow of the rule is for a caller without a name/,
    "caller_not_allowed",
  );
  await assertRefused(bench, byJwt, /no caller of the config|issuer/, "caller_unauthenticated");
});
