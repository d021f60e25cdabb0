import * as z from "zod";
import type { JwtShape } from "./callers.ts";
import { DEFAULT_JWT_MAX_AGE_MS } from "./defaults.ts";
import { renderDuration } from "./duration.ts";
import { JWT_ALGORITHMS } from "./jwt-caller.ts";
import { durationField, list, pathField, section, text } from "./schema-fields.ts";

const CLAIM_VALUE = "text, a whole number, true or false";
const claimText = text(CLAIM_VALUE, /^.{1,512}$/).refine((value) => !/\p{Cc}/u.test(value), {
  error: `expected ${CLAIM_VALUE}`,
});
const claimValue = z.union(
  [claimText, z.int({ error: `expected ${CLAIM_VALUE}` }), z.boolean({ error: `expected ${CLAIM_VALUE}` })],
  { error: `expected ${CLAIM_VALUE}` },
);

const claims = z
  .record(
    text("the name of a claim", /^[\x21-\x7e]{1,100}$/),
    z.union([claimValue, list(claimValue, "values", 1, 100)], { error: `expected ${CLAIM_VALUE}, or a list of these` }),
    { error: "expected a mapping of claims to values" },
  )
  .refine((value) => Object.keys(value).length > 0, {
    error: "expected at least one claim; without any, everybody who gets a token of this issuer would be this caller",
  })
  .meta({
    description:
      "What the token must say, by claim: a value or a list of them, of which one must fit; * in text for any characters.",
    minProperties: 1,
  });

export const jwtSchema: z.ZodType<JwtShape> = section({
  issuer: text("the issuer, as the `iss` of its tokens has it", /^[\x21-\x7e]{1,512}$/).meta({
    description: "Who issues the tokens: their `iss`, to the letter. A https URL, unless keys is given.",
  }),
  audience: text("an audience of at most 512 characters without spaces", /^[\x21-\x7e]{1,512}$/).meta({
    description: "Whom the tokens must be for: one of their `aud`.",
  }),
  claims,
  algorithms: list(
    z.enum(JWT_ALGORITHMS, { error: `expected one of ${JWT_ALGORITHMS.join(", ")}` }),
    "names of algorithms",
    1,
    JWT_ALGORITHMS.length,
  )
    .optional()
    .meta({ description: "How the tokens may be signed. Default: every algorithm with a public and a private key." }),
  keys: pathField().optional().meta({
    description:
      "JSON file with the issuer's public keys (JWKS). Default: those that the issuer's discovery document names.",
  }),
  caFile: pathField()
    .optional()
    .meta({ description: "PEM file with CAs that the issuer may use, besides Node.js' own. Default: google.caFile." }),
  tokenFile: pathField()
    .optional()
    .meta({ description: "File with a bearer token that the issuer wants to see, as a Kubernetes API server does." }),
  maxAge: durationField(60_000, 604_800_000)
    .optional()
    .meta({
      description: "How long after its `iat` a token is taken at most, whatever its `exp`.",
      shownDefault: renderDuration(DEFAULT_JWT_MAX_AGE_MS),
    }),
}).meta({ description: "A JWT that an issuer signed." });
