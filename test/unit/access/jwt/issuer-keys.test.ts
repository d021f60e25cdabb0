import assert from "node:assert/strict";
import { after, afterEach, beforeEach, test } from "node:test";
import { createIssuerKeys } from "../../../../src/access/jwt/issuer-keys.ts";
import type { JwtKeysConfig } from "../../../../src/config/jwt-caller.ts";
import { createCertificate } from "../../../fakes/certificates.ts";
import { createSigningKey, type FakeIssuer, startIssuer } from "../../../fakes/issuer.ts";
import { createCredentialFolder } from "../../../fakes/token-credentials.ts";
import { AUDIENCE, createPresentClock, jwtCaller, setUpVerifier, type VerifierSetUp } from "./fixtures.ts";

const folder = await createCredentialFolder();
after(() => folder[Symbol.asyncDispose]());

let issuer: FakeIssuer;
let setUp: VerifierSetUp;
beforeEach(async () => {
  issuer = await startIssuer();
  setUp = verifierFor();
});
afterEach(() => issuer[Symbol.asyncDispose]());

function verifierFor(keys: JwtKeysConfig = { kind: "discovery", caFile: undefined, tokenFile: undefined }) {
  return setUpVerifier({ ci: jwtCaller(issuer.url, { keys }) });
}
const sign = () => issuer.sign({ aud: AUDIENCE, repo: "acme/app" }, setUp.clock.nowMs());

test("no issuer is asked before a token comes, nor for one that could not be taken anyway", async () => {
  await setUp.refusal("not.a.jwt");
  await setUp.refusal(await issuer.sign({ iss: "https://other.example" }, setUp.clock.nowMs()));
  await setUp.refusal(await issuer.sign({}, setUp.clock.nowMs(), { typ: "strange" }));
  assert.equal(issuer.requests.length, 0);
});

test("many tokens need the keys once", async () => {
  const tokens = await Promise.all(Array.from({ length: 50 }, sign));
  await Promise.all(tokens.map(setUp.verify));
  assert.equal(issuer.keyRequests, 1);
});

test("a key that the issuer has begun to use is found by its id, and many unknown ids ask once in half a minute", async () => {
  await setUp.verify(await sign());
  const [next, unknown] = [await createSigningKey("next"), await createSigningKey("unknown")];
  const [old] = issuer.keys;
  assert.ok(old);
  issuer.keys = [next, old];
  const token = await sign();
  await setUp.refusal(token);
  setUp.clock.advance(30_000);
  await setUp.verify(token);
  assert.equal(issuer.keyRequests, 2);
  issuer.keys = [unknown];
  const strange = await Promise.all(Array.from({ length: 50 }, sign));
  issuer.keys = [next];
  await Promise.all(strange.map(setUp.refusal));
  setUp.clock.advance(30_000);
  await Promise.all(strange.map(setUp.refusal));
  assert.equal(issuer.keyRequests, 3);
});

test("a key that the issuer has withdrawn ends what was remembered of its tokens", async () => {
  const token = await issuer.sign({ aud: AUDIENCE, repo: "acme/app", exp: 4_000_000_000 }, setUp.clock.nowMs());
  await setUp.verify(token);
  issuer.keys = [await createSigningKey("next")];
  setUp.clock.advance(600_000);
  // This one starts the load, behind it.
  await setUp.verify(token);
  await waitFor(() => issuer.keyRequests === 2);
  await until(() =>
    setUp.verify(token).then(
      () => false,
      (thrown: Error) => thrown.message.includes("no key of its issuer"),
    ),
  );
});

test("an issuer that is down takes no caller with it once its keys are known", async () => {
  await setUp.verify(await sign());
  issuer.trouble = { status: 503, body: "" };
  setUp.clock.advance(3_600_000);
  await setUp.verify(await sign());
  await waitFor(() => setUp.warnings.length > 0);
  assert.match(setUp.warnings[0] ?? "", /answered HTTP 503; the keys from before stay in use/);
});

/** What an issuer may do wrong, and what is said of it. */
const troubles: readonly (readonly [what: string, trouble: () => Partial<FakeIssuer>, says: RegExp])[] = [
  ["that is down", () => ({ trouble: { status: 503, body: "" } }), /127.0.0.1:\d+ answered HTTP 503/],
  [
    "that wants to know who asks",
    () => ({ trouble: { status: 401, body: "" } }),
    /answered HTTP 401\nto do: .*set tokenFile/,
  ],
  [
    "that sends elsewhere",
    () => ({ trouble: { status: 302, body: "", location: `${issuer.url}/keys` } }),
    /answered HTTP 302/,
  ],
  ["that is no issuer", () => ({ trouble: { status: 200, body: "<html>" } }), /openid-configuration is not a JSON/],
  ["that lists", () => ({ trouble: { status: 200, body: "[]" } }), /openid-configuration is not a JSON object/],
  [
    "that floods",
    () => ({ trouble: { status: 200, body: "x".repeat(70_000) } }),
    /answered with more than 65536 bytes/,
  ],
  ["that is another", () => ({ document: { issuer: "https://x.example" } }), /says that it is of another issuer/],
  ["without keys", () => ({ document: { jwks_uri: undefined } }), /names no jwks_uri/],
  ["with keys in the clear", () => ({ document: { jwks_uri: "http://x.example/k" } }), /a jwks_uri that is not https/],
  ["with keys in a file", () => ({ document: { jwks_uri: "file:///etc/passwd" } }), /a jwks_uri that is not https/],
  ["with a password", () => ({ document: { jwks_uri: "https://a:b@x.example/k" } }), /names no jwks_uri/],
  [
    "whose keys are none",
    () => ({ document: { jwks_uri: `${issuer.url}/.well-known/openid-configuration` } }),
    /Key Set/,
  ],
];

for (const [what, trouble, says] of troubles) {
  test(`an issuer ${what} is told of as an outage, and not as the caller's fault`, async () => {
    Object.assign(issuer, trouble());
    const error = await setUp.refusal(await sign());
    assert.equal(error.code, "issuer_unavailable");
    assert.match(error.message, says);
    assert.match(error.message, /\nto do: /);
  });
}

test("a token file goes along to the issuer, read anew each time", async () => {
  const { path } = await folder.write("token", "first\n");
  setUp = verifierFor({ kind: "discovery", caFile: undefined, tokenFile: path });
  await setUp.verify(await sign());
  await folder.write("token", "second\n");
  setUp.clock.advance(600_000);
  await setUp.verify(await sign());
  await waitFor(() => issuer.requests.length === 4);
  const sent = issuer.requests.map(({ headers }) => headers.authorization);
  assert.deepEqual(sent, ["Bearer first", "Bearer first", "Bearer second", "Bearer second"]);
});

test("an issuer with a private CA is believed where the config names that CA, and not otherwise", async () => {
  const authority = createCertificate({ name: "ca", authority: true });
  const certificate = createCertificate({ name: "issuer", issuer: authority, address: "127.0.0.1" });
  const { path } = await folder.write("ca.crt", authority.certificate);
  await using secure = await startIssuer(certificate);
  const token = await secure.sign({ aud: AUDIENCE, repo: "acme/app" }, setUp.clock.nowMs());
  const verifier = (caFile: string | undefined) =>
    setUpVerifier({ ci: jwtCaller(secure.url, { keys: { kind: "discovery", caFile, tokenFile: undefined } }) });
  await verifier(path).verify(token);
  const error = await verifier(undefined).refusal(token);
  assert.equal(error.code, "issuer_unavailable");
  assert.match(error.message, /cannot be reached \((?:[A-Z_]*CERT[A-Z_]*|UNABLE_TO[A-Z_]*)\)\nto do: .*caFile/);
});

test("without its token file the issuer is not asked", async () => {
  setUp = verifierFor({ kind: "discovery", caFile: undefined, tokenFile: `${folder.path}/absent` });
  assert.match((await setUp.refusal(await sign())).message, /token file \S+absent cannot be read: ENOENT/);
  assert.equal(issuer.requests.length, 0);
});

test("keys from a file need no issuer, and are read again when they change", async () => {
  const write = () => folder.write("keys.json", { keys: issuer.keys.map(({ jwk }) => jwk) });
  const { path } = await write();
  setUp = verifierFor({ kind: "file", path });
  const token = await sign();
  await setUp.verify(token);
  issuer.keys = [await createSigningKey("next")];
  await write();
  setUp.clock.advance(1_000);
  assert.match((await setUp.refusal(token)).message, /no key of its issuer: the key id is "first"/);
  await setUp.verify(await sign());
  assert.equal(issuer.requests.length, 0);
});

test("a key file that became useless is told of, and the keys from before stay", async () => {
  const { path } = await folder.write("keys.json", { keys: issuer.keys.map(({ jwk }) => jwk) });
  setUp = verifierFor({ kind: "file", path });
  await setUp.verify(await sign());
  await folder.write("keys.json", "{");
  setUp.clock.advance(1_000);
  await setUp.verify(await sign());
  assert.match(setUp.warnings[0] ?? "", /are not a JSON Web Key Set; the keys from before stay in use/);
});

test("a key that is private or broken is the issuer's fault", async () => {
  const [key] = issuer.keys;
  assert.ok(key);
  for (const jwk of [key.privateJwk, { ...key.jwk, x: "AAAA" }, { ...key.jwk, x: 7 }]) {
    const { path } = await folder.write("keys.json", { keys: [jwk] });
    setUp = verifierFor({ kind: "file", path });
    const error = await setUp.refusal(await sign());
    assert.equal(error.code, "issuer_unavailable");
    assert.match(error.message, /the key "first" of issuer \S+ is not one that can be used/);
  }
});

test("a reload takes over the keys of an issuer that is down", async () => {
  const clock = createPresentClock();
  const issuerKeys = createIssuerKeys(clock);
  const callers = { ci: jwtCaller(issuer.url) };
  setUp = setUpVerifier(callers, { clock, issuerKeys });
  const token = await sign();
  await setUp.verify(token);
  issuer.trouble = { status: 503, body: "" };
  await setUpVerifier(callers, { clock, issuerKeys }).verify(token);
  assert.equal(issuer.keyRequests, 1);
});

/** Lets requests that run behind a call come to their end, within a bound. */
async function waitFor(condition: () => boolean): Promise<void> {
  await until(async () => condition());
}

async function until(condition: () => Promise<boolean>): Promise<void> {
  for (let turn = 0; turn < 2_000; turn++) {
    if (await condition()) return;
    await new Promise((resolve) => {
      setImmediate(resolve);
    });
  }
  assert.fail("it did not come to pass");
}
