import assert from "node:assert/strict";
import { createPublicKey } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, beforeEach, test } from "node:test";
import { type ServiceError, status } from "@grpc/grpc-js";
import { type Keyd, startKeyd } from "../../../../src/cli/keyd.ts";
import type { Config } from "../../../../src/config/config.ts";
import { parseConfig } from "../../../../src/config/parse.ts";
import { startEmulator } from "../../../../src/emulator/emulator.ts";
import type { Log, LogFields } from "../../../../src/telemetry/log.ts";
import { settle } from "../../../fakes/clock.ts";
import { createSigningKey, forgeJwt, signHs256, signJwt, startIssuer } from "../../../fakes/issuer.ts";
import { createKeyClient, type KeyClient } from "../../../fakes/key-client.ts";
import { loadKeyService } from "../../../fakes/key-messages.ts";
import { sendRawCall } from "../../../fakes/raw-call.ts";

const AUDIENCE =
  "//iam.googleapis.com/projects/123456789012/locations/global/workloadIdentityPools/emulated-pool/providers/emulated-provider";
const POOL = "projects/123456789012/locations/global/workloadIdentityPools/emulated-pool";
const KEY = "projects/p/locations/global/keyRings/r/cryptoKeys/k";
const METHODS = loadKeyService();
const PLAINTEXT = Buffer.alloc(32, 7);

const directory = await mkdtemp(join(tmpdir(), "sops-keyd-jwt-"));
const emulator = await startEmulator();
const issuer = await startIssuer();
const [signingKey] = issuer.keys;
assert.ok(signingKey);
await emulator.admin.addIssuer({ issuer: issuer.url, jwks: { keys: [signingKey.jwk] } });
after(async () => {
  await issuer[Symbol.asyncDispose]();
  await emulator.close();
  await rm(directory, { recursive: true });
});

const CLAIMS = { aud: `https:${AUDIENCE}`, sub: "alice", repo: "acme/app" };
const CI = { issuer: issuer.url, audience: CLAIMS.aud, claims: { repo: "acme/app" } };

function configure(callers: object): Config {
  const { url, files } = emulator;
  const document = {
    version: 1,
    google: { endpoints: { kms: url, oauth2: url, sts: url, iamCredentials: url, metadata: url } },
    listeners: [{ address: "tcp://127.0.0.1:0" }],
    callers,
    tokenSources: { own: { type: "external_account", file: files.externalAccount, subjectToken: { from: "caller" } } },
    rules: [{ name: "r", match: KEY, tokenSource: "own", allow: [{ callers: ["ci"] }] }],
  };
  return parseConfig(Buffer.from(JSON.stringify(document)), join(directory, "config.yaml")).config;
}

let lines: (LogFields & { readonly message: string })[];
let keyd: Keyd;
let client: KeyClient;
beforeEach(async () => {
  lines = [];
  const write = (message: string, fields: LogFields = {}) => void lines.push({ message, ...fields });
  const log: Log = { error: write, warn: write, info: write, debug: write };
  const config = configure({ ci: { jwt: CI } });
  keyd = await startKeyd(config, config.listeners, log);
  client = createKeyClient(keyd.addresses[0] ?? "");
});
afterEach(async () => {
  client.close();
  await keyd.stop();
});

const encrypt = (authorization?: string) =>
  client.encrypt({ gcpKmsKey: { resourceId: KEY } }, PLAINTEXT, authorization === undefined ? {} : { authorization });

/** A refusal, as the client sees it, that the log has as well. */
async function refusal(authorization?: string): Promise<ServiceError> {
  const before = lines.length;
  const error = await encrypt(authorization).then(
    () => assert.fail("it was answered"),
    (thrown: ServiceError) => thrown,
  );
  assert.equal(lines.length, before + 1);
  const problem = String(lines.at(-1)?.["problem"]);
  assert.ok(error.details.startsWith(problem), `the log says ${problem}, the caller is told ${error.details}`);
  return error;
}

const sign = (changes: object = {}, header: object = {}) => issuer.sign({ ...CLAIMS, ...changes }, Date.now(), header);
const bearer = async (token: string | Promise<string>) => `Bearer ${await token}`;

test("Cloud KMS sees who the caller is, and the log says how that was known", async () => {
  emulator.admin.resetRequests?.();
  await encrypt(await bearer(sign()));
  await encrypt(await bearer(sign({ sub: "bob" })));
  const principals = lines.map((line) => line["principal"]);
  assert.deepEqual(
    principals,
    ["alice", "bob"].map((sub) => `principal://iam.googleapis.com/${POOL}/subject/${sub}`),
  );
  assert.deepEqual(
    lines.map((line) => line["caller"]),
    ["ci", "ci"],
  );
  const seen = emulator.admin.requests().requests.filter(({ endpoint }) => endpoint === "kms.encrypt");
  assert.deepEqual(
    seen.slice(-2).map(({ principal }) => principal),
    principals,
  );
});

test("the scheme may be written in any case", async () => {
  await encrypt(`bearer ${await sign()}`);
  await encrypt(`BEARER ${await sign()}`);
});

test("a call without a token has proven nothing, and the policy refuses it", async () => {
  const error = await refusal();
  assert.equal(error.code, status.PERMISSION_DENIED);
  assert.match(error.details, /no allow of the rule is for a caller without a name/);
});

const nowS = () => Math.floor(Date.now() / 1000);
const refusals: readonly (readonly [what: string, authorization: () => Promise<string>, says: RegExp])[] = [
  ["the wrong audience", () => bearer(sign({ aud: "other" })), /its audience is "other", expected "https:/],
  ["the wrong issuer", () => bearer(sign({ iss: "https://x.example" })), /is of its issuer, "https:\/\/x.example"/],
  [
    "alg none",
    () => bearer(forgeJwt({ alg: "none" }, { ...CLAIMS, iss: issuer.url, iat: nowS(), exp: nowS() + 60 })),
    /it is signed by none/,
  ],
  [
    "HS256 with the public key as the secret",
    () => {
      const pem = createPublicKey({ key: signingKey.jwk, format: "jwk" }).export({ type: "spki", format: "pem" });
      const claims = { ...CLAIMS, iss: issuer.url, iat: nowS(), exp: nowS() + 60 };
      return bearer(forgeJwt({ alg: "HS256", kid: "first" }, claims, signHs256(pem)));
    },
    /it is signed by HS256/,
  ],
  [
    "an unknown key",
    async () => bearer(signJwt(await createSigningKey("strange"), { ...CLAIMS, iss: issuer.url }, Date.now())),
    /no key of its issuer: the key id is "strange"/,
  ],
  ["an end in the past", () => bearer(sign({ exp: nowS() - 60 })), /it expired at .*Z, 6\d s ago/],
  ["a beginning in the future", () => bearer(sign({ nbf: nowS() + 90 })), /its nbf is .*Z, which is yet to come/],
  ["the wrong claim", () => bearer(sign({ repo: "evil/app" })), /its claim repo is "evil\/app"/],
  ["a tampered signature", async () => `${await bearer(sign())}AAAA`, /its signature is not its issuer's/],
  ["more than is read", () => bearer("a".repeat(20_000)), /Bearer|characters, more than|431|RST_STREAM|ENHANCE|limit/i],
  ["another scheme", async () => `Basic ${Buffer.from("a:b").toString("base64")}`, /not one bearer token/],
  ["two tokens", async () => `${await bearer(sign())}, ${await bearer(sign())}`, /not one bearer token/],
  ["no token", async () => "Bearer", /not one bearer token/],
];

for (const [what, authorization, says] of refusals) {
  test(`a token with ${what} is refused as unauthenticated, with the reason, and on record`, async () => {
    const sent = await authorization();
    const error = await refusal(sent);
    assert.equal(error.code, status.UNAUTHENTICATED);
    assert.match(error.details, says);
    assert.match(error.details, /\nto do: /);
    const token = sent.slice("Bearer ".length);
    if (token.length > 40) assert.ok(!JSON.stringify([lines, error.details]).includes(token.slice(10, 50)));
  });
}

const MESSAGE = METHODS.Encrypt.requestSerialize({ key: { gcpKmsKey: { resourceId: KEY } }, plaintext: PLAINTEXT });

/** The log's line of a call with these header fields. */
async function logged(...fields: readonly (readonly [name: string, value: string])[]) {
  const socket = sendRawCall(keyd.addresses[0] ?? "", METHODS.Encrypt.path, fields, MESSAGE);
  try {
    for (let turn = 0; lines.length === 0 && turn < 5_000; turn++) await settle();
    return lines.at(-1);
  } finally {
    socket.destroy();
  }
}

test("of two authorization headers the first counts and the second is never looked at", async () => {
  const [alice, mallory] = [await bearer(sign()), await bearer(sign({ sub: "mallory" }))];
  const first = await logged(["authorization", alice], ["authorization", mallory]);
  assert.match(String(first?.["principal"]), /subject\/alice$/);
  lines.length = 0;
  const second = await logged(["authorization", "Bearer x.y.z"], ["authorization", alice]);
  assert.equal(second?.["outcome"], "caller_unauthenticated");
});

test("a token with bytes that no header may have is no token, and is not put on the log by the library", async (context) => {
  const printed = context.mock.method(console, "error", () => {});
  const line = await logged(["authorization", `${await bearer(sign())}\xe9`]);
  assert.equal(line?.["outcome"], "caller_not_allowed");
  assert.equal(printed.mock.callCount(), 0);
});

test("a reload that takes the caller away takes effect with the next call, though its token was known", async () => {
  const authorization = await bearer(sign());
  await encrypt(authorization);
  const next = configure({ ci: { jwt: { ...CI, claims: { repo: "acme/lib" } } } });
  await keyd.apply(next, next.listeners);
  lines.length = 0;
  const error = await refusal(authorization);
  assert.equal(error.code, status.UNAUTHENTICATED);
  assert.match(error.details, /for ci, the nearest, its claim repo is "acme\/app"/);
});

test("an issuer whose keys cannot be had is nothing that the caller did", async () => {
  issuer.trouble = { status: 503, body: "" };
  try {
    const error = await refusal(await bearer(sign()));
    assert.equal(error.code, status.UNAVAILABLE);
    assert.match(error.details, /the keys of issuer \S+ cannot be fetched/);
  } finally {
    issuer.trouble = undefined;
  }
});
