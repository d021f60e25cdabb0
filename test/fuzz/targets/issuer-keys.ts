import assert from "node:assert/strict";
import { createIssuerKeys } from "../../../src/access/jwt/issuer-keys.ts";
import type { GetDocument } from "../../../src/access/jwt/load-keys.ts";
import { createJwtVerifier } from "../../../src/access/jwt/verifier.ts";
import { JWT_ALGORITHMS, type JwtCallerConfig } from "../../../src/config/jwt-caller.ts";
import { Secret } from "../../../src/core/secret.ts";
import { createFakeClock } from "../../fakes/clock.ts";
import { expectRefusal } from "../harness/expect.ts";
import type { Target } from "../harness/target.ts";
import { CLAIMS, createKnownKey, DICTIONARY, HEADER, ISSUER, signText } from "./jwt.ts";

const clock = createFakeClock();
const CALLER: JwtCallerConfig = {
  kind: "jwt",
  issuer: ISSUER,
  audience: "sops-keyd",
  claims: new Map([["sub", ["job"]]]),
  algorithms: JWT_ALGORITHMS,
  keys: { kind: "discovery", caFile: undefined, tokenFile: undefined },
  maxAgeMs: 3_600_000,
};

/** What an issuer answers: the discovery document and the keys, a line each. The token is good, and of this key alone. */
export const issuerKeys: Target = {
  name: "issuer-keys",
  dictionary: [
    ...DICTIONARY,
    "keys",
    "jwks_uri",
    "issuer",
    "kty",
    "OKP",
    "EC",
    "RSA",
    "oct",
    "crv",
    "P-256",
    "x",
    "y",
    "n",
    "e",
    "k",
    "d",
    "key_ops",
    "verify",
    "http://",
    "http://127.0.0.1/",
    "https://a:b@c/",
    "file:///etc/passwd",
  ],
  maxBytes: 3000,
  open() {
    const { key, jwk } = createKnownKey(7);
    const token = new Secret(signText(JSON.stringify(HEADER), JSON.stringify(CLAIMS), key));
    const document = JSON.stringify({ issuer: ISSUER, jwks_uri: `${ISSUER}/keys` });
    const strangers = [createKnownKey(8).jwk, { kty: "RSA", n: "AQAB", e: "AQAB", kid: "k" }, { kty: "oct", k: "AA" }];
    return {
      async run(input) {
        const lines = input.toString("utf8").split("\n");
        const verify = createJwtVerifier(new Map([["ci", CALLER]]), {
          clock,
          issuerKeys: createIssuerKeys(clock),
          createGet: () => answerWith(lines),
          warn: () => {},
        });
        try {
          await verify(token, new AbortController().signal);
        } catch (thrown) {
          return expectRefusal(thrown, ["caller_unauthenticated", "issuer_unavailable"]);
        }
        assert.ok(holdsKey(lines[1] ?? "", String(jwk["x"])), "taken by the keys of somebody else");
        assert.equal(JSON.parse(lines[0] ?? "").issuer, ISSUER, "taken by the document of somebody else");
        return "taken";
      },
      samples: [[jwk], [...strangers, jwk], strangers].map((keys) =>
        Buffer.from(`${document}\n${JSON.stringify({ keys })}`),
      ),
    };
  },
};

/** By its bytes: who publishes keys may write them as carelessly as Node.js reads them. */
function holdsKey(keySet: string, x: string): boolean {
  const { keys } = JSON.parse(keySet) as { readonly keys: readonly { readonly x?: unknown }[] };
  const wanted = Buffer.from(x, "base64url");
  return keys.some((key) => Buffer.from(String(key?.x), "base64url").equals(wanted));
}

function answerWith([document = "", keys = ""]: readonly string[]): GetDocument {
  return ({ url }) => {
    assert.equal(url.protocol, "https:", "keys of a TLS issuer by clear text");
    assert.equal(url.username + url.password, "");
    const isDiscovery = url.href === `${ISSUER}/.well-known/openid-configuration`;
    return Promise.resolve({ status: 200, text: isDiscovery ? document : keys });
  };
}
