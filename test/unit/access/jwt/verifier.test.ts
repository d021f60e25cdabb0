import assert from "node:assert/strict";
import { createPublicKey } from "node:crypto";
import { after, beforeEach, test } from "node:test";
import { createSigningKey, forgeJwt, signHs256, signJwt, startIssuer } from "../../../fakes/issuer.ts";
import { AUDIENCE, jwtCaller, setUpVerifier } from "./fixtures.ts";

const issuer = await startIssuer();
after(() => issuer[Symbol.asyncDispose]());
const [key] = issuer.keys;
if (key === undefined) throw new Error("no key");
const GOOD = { aud: AUDIENCE, sub: "job-1", repo: "acme/app" };

let setUp = setUpVerifier({});
beforeEach(() => {
  setUp = setUpVerifier({ ci: jwtCaller(issuer.url) });
});
const sign = (changes: object = {}, header: object = {}) =>
  issuer.sign({ ...GOOD, ...changes }, setUp.clock.nowMs(), header);
const nowS = () => Math.floor(setUp.clock.nowMs() / 1000);

test("a token of the right issuer, audience and claims names its callers", async () => {
  const { proof, token } = await setUp.verify(await sign());
  assert.deepEqual(proof, { kind: "jwt", issuer: issuer.url, subject: "job-1", callers: ["ci"] });
  assert.equal(token.expiresAtMs, (nowS() + 300) * 1000);
});

test("a token names every caller that it fits, and no other", async () => {
  setUp = setUpVerifier({
    app: jwtCaller(issuer.url),
    acme: jwtCaller(issuer.url, { claims: new Map([["repo", ["acme/*"]]]) }),
    other: jwtCaller(issuer.url, { claims: new Map([["repo", ["acme/lib"]]]) }),
    elsewhere: jwtCaller(issuer.url, { audience: "elsewhere" }),
  });
  assert.deepEqual((await setUp.verify(await sign())).proof.callers, ["app", "acme"]);
});

/** Each with what its message says besides that the token is refused. */
const refusals: readonly (readonly [what: string, token: () => string | Promise<string>, says: RegExp])[] = [
  ["for another audience", () => sign({ aud: "other" }), /its audience is "other", expected "sops-keyd"/],
  ["for no audience", () => sign({ aud: undefined }), /its audience is missing, expected "sops-keyd"/],
  [
    "for others together",
    () => sign({ aud: ["a", "b", "c", "d"] }),
    /its audience is \["a", "b", "c", …\], expected "sops-keyd"/,
  ],
  [
    "of another issuer",
    () => sign({ iss: "https://evil.example" }),
    /no caller of the config is of its issuer, "https:\/\/evil.example"/,
  ],
  ["without an issuer", () => sign({ iss: undefined }), /it does not say who issued it/],
  [
    "that is not signed",
    () => forgeJwt({ alg: "none" }, { ...GOOD, iss: issuer.url, iat: nowS(), exp: nowS() + 300 }),
    /it is signed by none, expected RS256 or/,
  ],
  [
    "that is signed with the public key as a shared one",
    () => {
      const claims = { ...GOOD, iss: issuer.url, iat: nowS(), exp: nowS() + 300 };
      const pem = createPublicKey({ key: key.jwk, format: "jwk" }).export({ type: "spki", format: "pem" });
      return forgeJwt({ alg: "HS256", kid: key.jwk.kid }, claims, signHs256(pem));
    },
    /it is signed by HS256, expected RS256 or/,
  ],
  [
    "of an unknown key",
    async () => signJwt(await createSigningKey("unknown"), { ...GOOD, iss: issuer.url }, setUp.clock.nowMs()),
    /signed by no key of its issuer: the key id is "unknown"/,
  ],
  [
    "of another key by the id of a known one",
    async () => signJwt(await createSigningKey("first"), { ...GOOD, iss: issuer.url }, setUp.clock.nowMs()),
    /its signature is not its issuer's/,
  ],
  ["that has expired", () => sign({ exp: nowS() - 60 }), /it expired at 20\d\d-\d\d-\d\dT[\d:]+Z, 60 s ago/],
  ["that is not good yet", () => sign({ nbf: nowS() + 60 }), /its nbf is 20.*Z, which is yet to come/],
  ["that is from the future", () => sign({ iat: nowS() + 60 }), /its iat is 20.*Z, which is yet to come/],
  ["that is a day old", () => sign({ iat: nowS() - 90_000 }), /it was issued at 20.*Z, too long ago/],
  ["that never expires", () => sign({ exp: undefined }), /its claim exp is missing/],
  ["of an unknown age", () => sign({ iat: undefined }), /its claim iat is missing/],
  ["with text for a time", () => sign({ exp: "soon" }), /its claim exp is not valid/],
  ["with another claim", () => sign({ repo: "evil/app" }), /for ci, the nearest, its claim repo is "evil\/app"/],
  ["without a claim", () => sign({ repo: undefined }), /for ci, the nearest, its claim repo is missing/],
  ["with critical extensions", () => sign({}, { crit: ["b64"], b64: true }), /critical extensions/],
  ["of something else", () => sign({}, { typ: "dpop+jwt" }), /something else than a JWT/],
  ["that is too long", () => `${"a".repeat(16_385)}`, /it has 16385 characters, more than 16384/],
  ["that is none", () => "ya29.an-access-token", /it is not a signed JWT/],
  ["with a tampered claim", async () => tamper(await sign()), /its signature is not its issuer's/],
  ["with a truncated signature", async () => (await sign()).slice(0, -10), /its signature is not its issuer's/],
];

function tamper(token: string): string {
  const [header, payload = "", signature] = token.split(".");
  const claims = JSON.parse(Buffer.from(payload, "base64url").toString());
  const changed = Buffer.from(JSON.stringify({ ...claims, sub: "admin" })).toString("base64url");
  return [header, changed, signature].join(".");
}

for (const [what, token, says] of refusals) {
  test(`a token ${what} is refused with the reason and without the token`, async () => {
    const text = await token();
    const error = await setUp.refusal(text);
    assert.equal(error.code, "caller_unauthenticated");
    assert.match(error.message, says);
    assert.match(error.message, /^the caller's token is refused: .*\nto do: /);
    assert.ok(!error.message.includes(text.slice(0, 40)));
  });
}

test("clocks may be half a minute apart", async () => {
  await setUp.verify(await sign({ exp: nowS() - 29 }));
  await setUp.verify(await sign({ nbf: nowS() + 29, iat: nowS() + 29 }));
  await setUp.refusal(await sign({ exp: nowS() - 31 }));
});

test("a caller's own maxAge and algorithms are its own", async () => {
  setUp = setUpVerifier({
    strict: jwtCaller(issuer.url, { maxAgeMs: 60_000 }),
    rsa: jwtCaller(issuer.url, { algorithms: ["RS256"] }),
    lax: jwtCaller(issuer.url),
  });
  const token = await sign({ iat: nowS() - 120 });
  assert.deepEqual((await setUp.verify(token)).proof.callers, ["lax"]);
  assert.deepEqual((await setUp.verify(await sign())).proof.callers, ["strict", "lax"]);
});

test("a token that one caller alone would take, and is too old for, says so", async () => {
  setUp = setUpVerifier({
    strict: jwtCaller(issuer.url, { maxAgeMs: 60_000 }),
    lax: jwtCaller(issuer.url, { claims: new Map([["repo", ["x"]]]), audience: "x" }),
  });
  assert.match((await setUp.refusal(await sign({ iat: nowS() - 120 }))).message, /more than 60 s ago, the maxAge of/);
});

test("a token is verified once, and again when it has expired, whatever was remembered of it", async () => {
  const token = await sign();
  const first = await setUp.verify(token);
  assert.equal(await setUp.verify(token), first);
  setUp.clock.advance(299_000);
  assert.equal(await setUp.verify(token), first);
  // Within the skew it is taken still, but no longer remembered.
  setUp.clock.advance(2_000);
  assert.notEqual(await setUp.verify(token), first);
  setUp.clock.advance(30_000);
  assert.match((await setUp.refusal(token)).message, /it expired at/);
});

test("tokens that differ in nothing but the signature do not share what was remembered", async () => {
  const token = await sign();
  await setUp.verify(token);
  assert.match((await setUp.refusal(`${token.slice(0, -4)}AAAA`)).message, /its signature is not its issuer's/);
});
