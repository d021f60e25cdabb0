import assert from "node:assert/strict";
import { after } from "node:test";
import type { JSONWebKeySet } from "jose";
import { OAuth2Server } from "oauth2-mock-server";
import { createCertificate, SERVER_PURPOSE } from "../fakes/certificates.ts";
import { AUDIENCE, POOL } from "../fakes/federation.ts";
import { forgeJwt } from "../fakes/issuer.ts";
import { assertSucceeded, unwrapped } from "./harness/assert-outcome.ts";
import { type Bench, type Keyd, reload, testWithSops } from "./harness/bench.ts";
import { KEY, SHOP_KEYS } from "./harness/config.ts";
import { sopsPath } from "./harness/sops-binary.ts";

/** An OIDC server that is not ours. */
const oidc = new OAuth2Server();
await oidc.issuer.keys.generate("RS256");
await oidc.start(0, "127.0.0.1");
after(() => oidc.stop());
const issuer = oidc.issuer.url ?? "";
const jwks: JSONWebKeySet = { keys: oidc.issuer.keys.toJSON() };

const CLAIMS = { sub: "repo:acme/shop", aud: `https:${AUDIENCE}`, repository_id: "123" };
const nowS = () => Math.floor(Date.now() / 1000);

async function sign(changes: object = {}, server: OAuth2Server = oidc): Promise<string> {
  return await server.issuer.buildToken({
    scopesOrTransform: (_header, payload) => void Object.assign(payload, { ...CLAIMS, iss: issuer, ...changes }),
  });
}

function writeConfig(bench: Bench, repositoryId = "123"): string {
  const { externalAccount } = bench.emulator.files;
  const jwt = { issuer, audience: CLAIMS.aud, claims: { repository_id: repositoryId } };
  return bench.writeConfig({
    listeners: [
      { address: "tcp://127.0.0.1:0", tls: { certificate: bench.path("tls.crt"), privateKey: bench.path("tls.key") } },
    ],
    callers: { ci: { jwt } },
    tokenSources: { own: { type: "external_account", file: externalAccount, subjectToken: { from: "caller" } } },
    rules: [{ name: "shop", match: SHOP_KEYS, tokenSource: "own", allow: [{ callers: ["ci"] }] }],
    audit: { file: bench.path("audit.jsonl"), required: true },
  });
}

async function serve(bench: Bench): Promise<Keyd> {
  await bench.emulator.admin.addIssuer({ issuer, jwks });
  const authority = createCertificate({ name: "ca", authority: true });
  const server = createCertificate({
    name: "keyd",
    issuer: authority,
    address: "127.0.0.1",
    purposes: [SERVER_PURPOSE],
  });
  bench.write("ca.crt", authority.certificate);
  bench.write("tls.crt", server.certificate);
  bench.write("tls.key", server.privateKey);
  bench.write("plain.yaml", "password: hunter2\n");
  return await bench.serve(writeConfig(bench));
}

/** A stock sops, whose key service is `connect` with a token. */
function sopsWith(token: string, bench: Bench, keyd: Keyd, args: readonly string[]) {
  bench.write("token.jwt", token);
  const to = keyd.address.replace("tcp:", "tls:");
  const connect = ["--connect", to, "--ca", bench.path("ca.crt"), "--jwt", `file:${bench.path("token.jwt")}`];
  return bench.keyd(["exec", ...connect, "--", sopsPath(), ...args]);
}

interface AuditLine {
  readonly event?: string;
  readonly outcome?: string;
  readonly caller?: { readonly names: readonly string[]; readonly proofs: readonly object[] };
}

const audited = (bench: Bench): readonly AuditLine[] =>
  bench
    .read("audit.jsonl")
    .toString()
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));

testWithSops("a stock sops decrypts as the job that it runs in, and Cloud KMS sees that job", async (bench) => {
  const keyd = await serve(bench);
  const token = await sign();
  const encrypted = assertSucceeded(await sopsWith(token, bench, keyd, ["encrypt", "--gcp-kms", KEY, "plain.yaml"]));
  bench.write("secret.enc.yaml", encrypted.stdout);
  const decrypted = assertSucceeded(await sopsWith(token, bench, keyd, ["decrypt", "secret.enc.yaml"]));
  assert.equal(decrypted.stdout, "password: hunter2\n");
  const principal = `principal://iam.googleapis.com/${POOL}/subject/${CLAIMS.sub}`;
  const seen = bench.emulator.admin.requests().requests.filter(({ endpoint }) => endpoint === "kms.decrypt");
  assert.deepEqual(
    seen.map((request) => request.principal),
    [principal],
  );
  const proven = audited(bench).find(({ caller }) => caller?.names.includes("ci"));
  assert.deepEqual(proven?.caller?.proofs.at(-1), { kind: "jwt", issuer, subject: CLAIMS.sub, callers: ["ci"] });
  const written = [keyd.child.stderr(), bench.read("audit.jsonl").toString()].join("");
  for (const part of token.split(".")) assert.ok(!written.includes(part));
});

testWithSops("each token that proves nothing is refused, says why, and is in the audit log", async (bench) => {
  const keyd = await serve(bench);
  const args = ["encrypt", "--gcp-kms", KEY, "plain.yaml"];
  const stranger = new OAuth2Server();
  await stranger.issuer.keys.generate("RS256", { kid: "strange" });
  stranger.issuer.url = issuer;
  const refused: readonly (readonly [token: string, says: RegExp])[] = [
    [await sign({ aud: "other" }), /its audience is "other", expected "https:/],
    [await sign({ repository_id: "7" }), /for ci, the nearest, its claim repository_id is "7"/],
    [await sign({ iss: "https://evil.example" }), /no caller of the config is of its issuer/],
    [await sign({}, stranger), /signed by no key of its issuer: the key id is "strange"/],
    [
      forgeJwt({ alg: "none" }, { ...CLAIMS, iss: issuer, iat: nowS(), exp: nowS() + 300 }, () => "AAAA"),
      /signed by none/,
    ],
  ];
  for (const [token, says] of refused) {
    const before = audited(bench).length;
    const outcome = await sopsWith(token, bench, keyd, args);
    assert.notEqual(outcome.code, 0);
    assert.match(unwrapped(outcome), /Unauthenticated/);
    assert.match(unwrapped(outcome), says);
    const after = audited(bench).slice(before);
    assert.ok(
      after.some(({ outcome: how }) => how === "caller_unauthenticated"),
      JSON.stringify(after),
    );
  }
  const expired = await sopsWith(await sign({ iat: nowS() - 600, exp: nowS() - 300 }), bench, keyd, args);
  assert.match(unwrapped(expired), /expired/);
  const token = await sign();
  assertSucceeded(await sopsWith(token, bench, keyd, args));
  writeConfig(bench, "456");
  await reload(keyd);
  const outcome = await sopsWith(token, bench, keyd, args);
  assert.match(unwrapped(outcome), /for ci, the nearest, its claim repository_id is "123"/);
});
