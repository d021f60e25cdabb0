import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import { readFileSync } from "node:fs";
import { createServer } from "node:https";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { GdchClient } from "google-auth-library";
import type { TokenSourceConfig } from "../../../../src/config/config.ts";
import { systemClock } from "../../../../src/core/clock.ts";
import { createTokenSources } from "../../../../src/credentials/create.ts";
import { type EmulatedSetUp, readJson, setUpEmulated } from "../../../fakes/emulated-set-up.ts";
import { createEnvironment } from "../../../fakes/token-credentials.ts";
import { GOOGLE } from "../../../fakes/token-google.ts";
import { getError, getToken } from "../../../fakes/token-set-up.ts";

const CANARY = "canary-5e4d3c2b";

// For all tests: none leaves anything behind, and each start of an emulator makes keys, which takes its time.
let shared: EmulatedSetUp;
before(async () => {
  shared = await setUpEmulated();
});
after(() => shared[Symbol.asyncDispose]());

/** A source over a copy of the emulator's key file, with changes. */
async function write(setUp: EmulatedSetUp, changes: Record<string, unknown> = {}): Promise<TokenSourceConfig> {
  const key = { ...(await readJson(setUp.emulator.files.gdchServiceAccount)), ...changes };
  const credential = await setUp.folder.write("gdch.json", key);
  return { type: "gdch_service_account", credential, audience: setUp.emulator.url };
}

test("a service identity's token says whose it is and how it came", async () => {
  const setUp = shared;
  const token = await getToken(setUp.create({ subject: await write(setUp) })("subject"));
  assert.match(token.accessToken.reveal(), /^emulated\.gdch\./);
  assert.equal(token.principal, "system:serviceaccount:emulated-project:emulated-identity");
  assert.match(token.steps.join(), /^key of system:\S+ from file \S+gdch\.json,token exchange at 127\.0\.0\.1:\d+$/);
});

test("a new key in the old one's place is used at the next refresh", async () => {
  const setUp = shared;
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const pem = privateKey.export({ type: "pkcs8", format: "pem" });
  const source = await write(setUp, { private_key: pem });
  const refused = await getError(setUp.create({ subject: source })("subject"));
  assert.equal(refused.code, "credential_rejected");
  assert.match(refused.message, /invalid_grant\)\n.*as: system:serviceaccount/);
  const holder = setUp.create({ subject: await write(setUp) })("subject");
  holder.invalidate((await getToken(holder)).generation);
  await write(setUp, { private_key_id: CANARY });
  const error = await getError(holder);
  assert.match(error.message, /refused to give a token/);
  assert.doesNotMatch(error.message, new RegExp(CANARY));
});

const { privateKey: rsa } = generateKeyPairSync("rsa", { modulusLength: 2048 });
const { privateKey: otherCurve } = generateKeyPairSync("ec", { namedCurve: "secp384r1" });
const toPem = (key: typeof rsa) => key.export({ type: "pkcs8", format: "pem" }).toString();

const refusals: readonly (readonly [what: string, changes: Record<string, unknown>, message: RegExp])[] = [
  ["another format version", { format_version: "2" }, /"format_version" is not 1/],
  ["no project", { project: undefined }, /"project" is missing/],
  ["no name", { name: undefined }, /"name" is missing/],
  ["no token_uri", { token_uri: undefined }, /"token_uri" is missing/],
  ["a damaged key", { private_key: CANARY }, /"private_key" is neither a P-256 nor an RSA key in PEM form/],
  ["a key on another curve", { private_key: toPem(otherCurve) }, /"private_key" is neither/],
  ["an RSA key that the server does not know", { private_key: toPem(rsa) }, /HTTP 400 invalid_grant/],
  [
    "a CA file that is not there",
    { ca_cert_path: "/no/such/ca.pem" },
    /"ca_cert_path" names a file that cannot be read/,
  ],
  ["a CA file that never ends", { ca_cert_path: "/dev/zero" }, /"ca_cert_path" names a file that cannot be read/],
  ["a CA file by a relative path", { ca_cert_path: "ca.pem" }, /"ca_cert_path" is not an absolute path/],
  [
    "a token_uri of a host that nobody named",
    { token_uri: "https://service-identity.example.com/authenticate" },
    /"token_uri" in file .* names https:\/\/service-identity\.example\.com, which is refused: .*\n.*\nto do: .*google\.endpoints/,
  ],
];

for (const [what, changes, message] of refusals) {
  test(`a file with ${what} is refused with the source and a remedy`, async () => {
    const setUp = shared;
    const error = await getError(setUp.create({ subject: await write(setUp, changes) })("subject"));
    assert.equal(error.code, "credential_rejected");
    assert.match(error.message, message);
    assert.match(error.message, /token source: subject/);
    assert.match(error.message, /\nto do: /);
    assert.doesNotMatch(error.message, new RegExp(CANARY));
  });
}

test("an audience that the server does not have is told by the key to set", async () => {
  const setUp = shared;
  const source = { ...(await write(setUp)), audience: "https://other.example.com" } as TokenSourceConfig;
  const error = await getError(setUp.create({ subject: source })("subject"));
  assert.match(error.message, /invalid_target\)\n.*\nto do: set audience of this token source/);
});

test("the default order, which has no audience to give, says how to use such a file", async () => {
  const setUp = shared;
  const tokenSources = new Map<string, TokenSourceConfig>([["subject", { type: "default" }]]);
  const environment = createEnvironment({ GOOGLE_APPLICATION_CREDENTIALS: setUp.emulator.files.gdchServiceAccount });
  const config = { tokenSources, google: GOOGLE };
  const { holderFor } = createTokenSources(config, environment, systemClock, () => {});
  const error = await getError(holderFor(["subject"]));
  assert.match(error.message, /to do: configure a token source of the type gdch_service_account, with its audience/);
});

test("the file's own CA is trusted for its token server, and a new one in its place is seen", {
  skip: spawnSync("openssl", ["version"]).status !== 0 && "needs openssl",
}, async () => {
  const setUp = shared;
  const path = (name: string) => join(setUp.folder.path, name);
  const makeCertificate = (name: string) => {
    const names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-days", "2"];
    const newKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
    const files = ["-keyout", path(`${name}.key`), "-out", path(`${name}.crt`)];
    execFileSync("openssl", ["req", "-x509", ...newKey, ...files, ...names], { stdio: "ignore" });
    return { key: readFileSync(path(`${name}.key`)), cert: readFileSync(path(`${name}.crt`)) };
  };
  const asked: string[] = [];
  const server = createServer(makeCertificate("right"), async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const { subject_token: assertion } = JSON.parse(Buffer.concat(chunks).toString());
    asked.push(Buffer.from(assertion.split(".")[1], "base64url").toString());
    response.end(JSON.stringify({ access_token: "over-tls", expires_in: 3600 }));
  });
  makeCertificate("wrong");
  await using listening = server.listen(0, "127.0.0.1");
  await new Promise((resolve) => {
    listening.once("listening", resolve);
  });
  const address = listening.address();
  assert.ok(address !== null && typeof address !== "string");
  const origin = `https://localhost:${address.port}`;
  const changes = (ca: string) => ({ token_uri: `${origin}/authenticate`, ca_cert_path: path(`${ca}.crt`) });
  const holder = setUp.create(
    { subject: await write(setUp, changes("right")) },
    { endpoints: { sts: origin } },
  )("subject");
  const token = await getToken(holder);
  assert.equal(token.accessToken.reveal(), "over-tls");
  assert.equal(JSON.parse(asked[0] ?? "").aud, `${origin}/authenticate`);
  await write(setUp, changes("wrong"));
  holder.invalidate(token.generation);
  assert.match((await getError(holder)).message, /cannot be reached \([A-Z_]*SELF_SIGNED[A-Z_]*\)/);
  server.closeAllConnections();
});

test("Google's own client takes the emulator for the real thing", async () => {
  const setUp = shared;
  const client = new GdchClient();
  client.fromJSON(JSON.parse(readFileSync(setUp.emulator.files.gdchServiceAccount, "utf8")));
  const { token } = await client.createWithGdchAudience(setUp.emulator.url).getAccessToken();
  assert.match(token ?? "", /^emulated\.gdch\./);
});
