import assert from "node:assert/strict";
import { after, test } from "node:test";
import fc from "fast-check";
import { createIssuerKeys } from "../../src/access/jwt/issuer-keys.ts";
import { readUnverifiedJwt } from "../../src/access/jwt/unverified-jwt.ts";
import { createJwtVerifier } from "../../src/access/jwt/verifier.ts";
import { JWT_ALGORITHMS } from "../../src/config/jwt-caller.ts";
import { KeyServiceError } from "../../src/core/errors.ts";
import { Secret } from "../../src/core/secret.ts";
import { createFakeClock } from "../fakes/clock.ts";
import { createSigningKey, signJwt } from "../fakes/issuer.ts";
import { createCredentialFolder } from "../fakes/token-credentials.ts";

// FUZZ_SEED and FUZZ_RUNS repeat or prolong a run.
const seed = Number(process.env["FUZZ_SEED"] ?? Date.now() % 2 ** 31);
const numRuns = Number(process.env["FUZZ_RUNS"] ?? 5000);

const ISSUER = "https://issuer.example";
const folder = await createCredentialFolder();
after(() => folder[Symbol.asyncDispose]());
const key = await createSigningKey("k");
const { path } = await folder.write("keys.json", { keys: [key.jwk] });
const clock = createFakeClock();
const CLAIMS = { iss: ISSUER, aud: "sops-keyd", sub: "job", repo: "acme/app" };
const good = await signJwt(key, CLAIMS, clock.nowMs());
const [header = "", payload = "", signature = ""] = good.split(".");

const verify = createJwtVerifier(
  new Map([
    [
      "ci",
      {
        kind: "jwt",
        issuer: ISSUER,
        audience: "sops-keyd",
        claims: new Map([["repo", ["acme/*"]]]),
        algorithms: JWT_ALGORITHMS,
        keys: { kind: "file", path },
        maxAgeMs: 3_600_000,
      },
    ],
  ]),
  {
    clock,
    issuerKeys: createIssuerKeys(clock),
    createGet: () => () => Promise.reject(new Error("no issuer is asked")),
    warn: (message) => assert.fail(message),
  },
);

/** Whether it is taken. Whatever else happens is a refusal as unauthenticated, fit for a terminal, without the token. */
async function isTaken(token: string): Promise<boolean> {
  try {
    await verify(new Secret(token), new AbortController().signal);
    return true;
  } catch (error) {
    assert.ok(error instanceof KeyServiceError, String(error));
    assert.equal(error.code, "caller_unauthenticated", error.message);
    assert.doesNotMatch(error.message.replaceAll("\n", ""), /[\p{Cc}\p{Cf}\u2028\u2029]/u);
    assert.ok(error.message.length < 1_000);
    assert.ok(!error.message.includes(payload));
    return false;
  }
}

const anyText = fc.oneof(
  fc.string({ unit: "binary" }),
  fc.string(),
  fc.constantFrom(".", "..", "=", "-", "_", "e30", "bnVsbA", "\n", "\0", " ", "A", "é"),
);
/** The good token with some of it cut out and something else put there. */
const mutated = fc
  .tuple(fc.nat(good.length), fc.nat(6), anyText)
  .map(([at, cut, insert]) => good.slice(0, at) + insert + good.slice(at + cut));
const encoded = (value: unknown) => Buffer.from(JSON.stringify(value) ?? "").toString("base64url");
const field = fc.oneof(
  fc.jsonValue(),
  fc.constantFrom(...JWT_ALGORITHMS, "none", "HS256", "k", "JWT", ISSUER, ["exp"]),
);
const headers = fc.record(
  { alg: field, kid: field, typ: field, crit: field, jwk: field, b64: field },
  { requiredKeys: [] },
);
const claims = fc.record(
  { iss: field, aud: field, exp: field, iat: field, nbf: field, repo: field },
  { requiredKeys: [] },
);
const assembled = fc
  .tuple(
    fc.oneof(headers.map(encoded), fc.jsonValue().map(encoded), fc.constant(header)),
    fc.oneof(
      claims.map((changes) => encoded({ ...CLAIMS, ...changes })),
      fc.jsonValue().map(encoded),
      fc.constant(payload),
    ),
    fc.oneof(fc.constant(signature), fc.constant(""), anyText),
  )
  .map((parts) => parts.join("."));

test("no token is taken but what the issuer signed, byte by byte, and no other is anything but refused", async (t) => {
  t.diagnostic(`FUZZ_SEED=${seed}`);
  assert.equal(await isTaken(good), true);
  await fc.assert(
    fc.asyncProperty(fc.oneof(mutated, assembled, anyText), async (token) => {
      if (!(await isTaken(token))) return;
      const [taken = "", ...rest] = token.split(".");
      assert.deepEqual([taken, rest[0]], [header, payload]);
      // The last of a signature's characters has bits to spare.
      assert.deepEqual(Buffer.from(rest[1] ?? "", "base64url"), Buffer.from(signature, "base64url"));
    }),
    { seed, numRuns, endOnFailure: true },
  );
});

test("what an issuer signs names a caller exactly where issuer, audience, times and claims are right", async (t) => {
  t.diagnostic(`FUZZ_SEED=${seed}`);
  const nowS = Math.floor(clock.nowMs() / 1000);
  const seconds = fc.integer({ min: nowS - 4_000, max: nowS + 4_000 });
  const changes = fc.record({
    iss: fc.constantFrom(ISSUER, ISSUER, ISSUER, `${ISSUER}/`),
    aud: fc.constantFrom<string | string[]>("sops-keyd", ["x", "sops-keyd"], "sops", ["sops-keyd2"]),
    exp: seconds,
    iat: seconds,
    nbf: fc.option(seconds, { nil: undefined }),
    repo: fc.constantFrom<unknown>("acme/app", "acme/", "acme", ["x", "acme/lib"], 7, null, { acme: 1 }),
  });
  await fc.assert(
    fc.asyncProperty(changes, async ({ iss, aud, exp, iat, nbf, repo }) => {
      const token = await signJwt(
        key,
        Object.fromEntries(Object.entries({ iss, aud, exp, iat, nbf, repo })),
        clock.nowMs(),
      );
      const isRight =
        iss === ISSUER &&
        [aud].flat().includes("sops-keyd") &&
        exp > nowS - 30 &&
        iat <= nowS + 30 &&
        iat > nowS - 3_600 - 30 &&
        (nbf ?? 0) <= nowS + 30 &&
        [repo].flat().some((value) => typeof value === "string" && value.startsWith("acme/"));
      assert.equal(await isTaken(token), isRight);
    }),
    { seed, numRuns: Math.ceil(numRuns / 10), endOnFailure: true },
  );
});

test("whatever is read as a token's header is one, or is told what it lacks", (t) => {
  t.diagnostic(`FUZZ_SEED=${seed}`);
  fc.assert(
    fc.property(fc.oneof(mutated, assembled, anyText), (token) => {
      const claimed = readUnverifiedJwt(token);
      if (typeof claimed === "string") return assert.match(claimed, /^it[s]? /);
      assert.equal(typeof claimed.algorithm, "string");
      assert.equal(typeof claimed.issuer, "string");
    }),
    { seed, numRuns, endOnFailure: true },
  );
});
