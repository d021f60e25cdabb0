import assert from "node:assert/strict";
import { createPrivateKey, createPublicKey, type KeyObject, sign } from "node:crypto";
import { createIssuerKeys } from "../../../src/access/jwt/issuer-keys.ts";
import { createJwtVerifier, type VerifyJwt } from "../../../src/access/jwt/verifier.ts";
import { JWT_ALGORITHMS } from "../../../src/config/jwt-caller.ts";
import { createIdentityTokenSource } from "../../../src/connect/identity-token.ts";
import { Secret } from "../../../src/core/secret.ts";
import { createFakeClock } from "../../fakes/clock.ts";
import { createCredentialFolder } from "../../fakes/token-credentials.ts";
import { CANARY, expectRefusal } from "../harness/expect.ts";
import type { Target } from "../harness/target.ts";

export const ISSUER = "https://issuer.example";
const AUDIENCE = "sops-keyd";
export const HEADER: Readonly<Record<string, unknown>> = { alg: "EdDSA", kid: "k", typ: "JWT" };
const SKEW_S = 30;
const MAX_AGE_S = 3600;
const clock = createFakeClock();
const NOW_S = clock.nowMs() / 1000;
export const CLAIMS: Readonly<Record<string, unknown>> = {
  iss: ISSUER,
  aud: AUDIENCE,
  sub: "job",
  repo: "acme/app",
  iat: NOW_S,
  exp: NOW_S + 300,
};

export const DICTIONARY: readonly string[] = [
  ...JWT_ALGORITHMS,
  "none",
  "HS256",
  "alg",
  "kid",
  "typ",
  "crit",
  "b64",
  "jwk",
  "jku",
  "x5c",
  "iss",
  "aud",
  "exp",
  "iat",
  "nbf",
  "repo",
  "sub",
  AUDIENCE,
  ISSUER,
  "acme/",
  "at+jwt",
  ".",
  "..",
  "=",
  "{",
  "}",
  ",",
  ":",
  '"',
  "[",
  "]",
  "\n",
  `${NOW_S}`,
  `${NOW_S + 31}`,
  `${NOW_S - 31}`,
  `${NOW_S - 3631}`,
  `"nbf":${NOW_S},`,
  '"exp":',
  "e30",
  "bnVsbA",
];

/** No secret: the same key in every run, so that an input does the same in every run. */
export function createKnownKey(byte: number): {
  readonly key: KeyObject;
  readonly jwk: Readonly<Record<string, unknown>>;
} {
  const prefix = Buffer.from("302e020100300506032b657004220420", "hex");
  const der = Buffer.concat([prefix, Buffer.alloc(32, byte)]);
  const key = createPrivateKey({ key: der, format: "der", type: "pkcs8" });
  const { kty, crv, x } = createPublicKey(key).export({ format: "jwk" });
  return { key, jwk: { kty, crv, x, kid: "k", use: "sig", alg: "EdDSA" } };
}

export function signText(header: string, claims: string, key: KeyObject): string {
  const signed = `${Buffer.from(header).toString("base64url")}.${Buffer.from(claims).toString("base64url")}`;
  return `${signed}.${sign(null, Buffer.from(signed), key).toString("base64url")}`;
}

/**
 * A token as it stands; or, where it begins with a brace, a header and claims, a line each, that the issuer signs. So both
 * what it never signed and what it signed and does not suffice are tried.
 */
export const jwt: Target = {
  name: "jwt",
  dictionary: DICTIONARY,
  maxBytes: 2000,
  async open() {
    const { key, jwk } = createKnownKey(7);
    const folder = await createCredentialFolder();
    const { path } = await folder.write("keys.json", { keys: [jwk] });
    const verify = createVerifier(path);
    const good = signText(JSON.stringify(HEADER), JSON.stringify(CLAIMS), key);
    return {
      async run(input) {
        const text = input.toString("utf8");
        const isSigned = text.startsWith("{");
        const [header = "", claims = ""] = text.split("\n");
        const token = isSigned ? signText(header, claims, key) : text;
        const taken = await verifyOnce(verify, token);
        if (taken !== "taken") return taken;
        if (isSigned) expectRight(header, claims);
        else expectSame(token, good);
        return `taken ${isSigned}`;
      },
      samples: [Buffer.from(good), Buffer.from(`${JSON.stringify(HEADER)}\n${JSON.stringify(CLAIMS)}`)],
      close: () => folder[Symbol.asyncDispose](),
    };
  },
};

function createVerifier(path: string): VerifyJwt {
  const config = {
    kind: "jwt",
    issuer: ISSUER,
    audience: AUDIENCE,
    claims: new Map([["repo", ["acme/*"]]]),
    algorithms: JWT_ALGORITHMS,
    keys: { kind: "file", path },
    maxAgeMs: MAX_AGE_S * 1000,
  } as const;
  return createJwtVerifier(new Map([["ci", config]]), {
    clock,
    issuerKeys: createIssuerKeys(clock),
    createGet: () => () => Promise.reject(new Error("no issuer is asked")),
    warn: (message) => assert.fail(message),
  });
}

async function verifyOnce(verify: VerifyJwt, token: string): Promise<string> {
  try {
    await verify(new Secret(token), new AbortController().signal);
    return "taken";
  } catch (thrown) {
    const kind = expectRefusal(thrown, ["caller_unauthenticated"]);
    // Claims are shown, and nothing else: what is shown is no token, not even without its signature.
    const [, claims = "", signature = ""] = token.split(".");
    for (const part of [claims, signature].filter(({ length }) => length > 16))
      assert.ok(!String(thrown).includes(part), part);
    return kind;
  }
}

/** Nothing but what the issuer signed; of a signature's characters the last has bits to spare. */
function expectSame(token: string, good: string): void {
  const [[header, claims, signature = ""], [goodHeader, goodClaims, goodSignature = ""]] = [
    token.split("."),
    good.split("."),
  ];
  assert.deepEqual([header, claims], [goodHeader, goodClaims], "a token was taken that nobody signed");
  assert.deepEqual(Buffer.from(signature, "base64url"), Buffer.from(goodSignature, "base64url"));
}

function expectRight(headerText: string, claimsText: string): void {
  const header = JSON.parse(headerText) as Record<string, unknown>;
  const { iss, aud, repo, iat, exp, nbf = 0 } = JSON.parse(claimsText) as Record<string, unknown>;
  assert.ok(header["alg"] === "EdDSA" || header["alg"] === "Ed25519");
  assert.ok(!("crit" in header), "critical extensions");
  assert.equal(iss, ISSUER);
  assert.ok([aud].flat().includes(AUDIENCE), "for somebody else");
  assert.ok(
    [repo].flat().some((value) => typeof value === "string" && value.startsWith("acme/")),
    "claims",
  );
  assert.ok(Number(exp) > NOW_S - SKEW_S, "expired");
  assert.ok(Number(nbf) <= NOW_S + SKEW_S && Number(iat) <= NOW_S + SKEW_S, "of the future");
  assert.ok(Number(iat) > NOW_S - MAX_AGE_S - SKEW_S, "too old");
}

/** What `connect` finds as its own identity token. */
export const identityToken: Target = {
  name: "identity-token",
  dictionary: [...DICTIONARY, CANARY],
  maxBytes: 2000,
  open: () => ({
    async run(input) {
      const text = input.toString("utf8");
      // Where it has lines, they are encoded: so that mutations meet what is inside.
      const [header = "", claims = ""] = text.split("\n").map((line) => Buffer.from(line).toString("base64url"));
      const token = text.startsWith("{") ? `${header}.${claims}.c2ln` : text;
      const find = () => Promise.resolve({ text: token, origin: "file /token" });
      try {
        const { accessToken, expiresAtMs } = await createIdentityTokenSource(find, clock).fetchToken(
          new AbortController().signal,
        );
        assert.equal(accessToken.reveal(), token.trim());
        assert.match(accessToken.reveal(), /^[\w.-]+$/, "would not fit into a header");
        assert.ok(new Date(expiresAtMs).getTime() > clock.nowMs(), `expires at ${expiresAtMs}`);
        return `taken ${expiresAtMs === clock.nowMs() + 60_000}`;
      } catch (thrown) {
        return expectRefusal(thrown, ["credential_rejected"]);
      }
    },
    samples: [Buffer.from(`${JSON.stringify(HEADER)}\n${JSON.stringify(CLAIMS)}`)],
  }),
};
