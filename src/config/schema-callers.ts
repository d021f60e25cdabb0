import * as z from "zod";
import type { CallerShape } from "./callers.ts";
import { countField, section, text } from "./schema-fields.ts";
import { jwtSchema } from "./schema-jwt.ts";
import { isSpiffeId } from "./spiffe-id.ts";

const ACCOUNT_NAME = /^[A-Za-z_][A-Za-z0-9_.-]{0,31}\$?$/;
const MAX_ACCOUNT_ID = 4_294_967_294;
const DNS_NAME = /^(?=.{1,253}$)[a-z0-9_](?:[a-z0-9_-]{0,62})(?:\.[a-z0-9_][a-z0-9_-]{0,62})*$/;

function accountField(of: "user" | "group") {
  const expected = `the name or number of a ${of}`;
  return z.union([text(expected, ACCOUNT_NAME), countField(0, MAX_ACCOUNT_ID)], { error: `expected ${expected}` });
}

const unixPeer = section({
  uid: accountField("user").optional().meta({ description: "User of the process, by name or number." }),
  gid: accountField("group")
    .optional()
    .meta({ description: "Effective group of the process, by name or number; not those it is a member of besides." }),
}).meta({ description: "A process of this machine, by what the kernel says of it.", minProperties: 1 });

const spiffeId = z
  .string({ error: "expected a SPIFFE id" })
  .refine(isSpiffeId, { error: "expected the SPIFFE id of a workload, as in spiffe://example.com/ns/team-a/sa/flux" });

/** One caller. `check-callers.ts` sees to it that it has exactly one proof. */
export const callerSchema: z.ZodType<CallerShape> = section({
  unix: unixPeer.optional(),
  spiffe: spiffeId.optional().meta({
    description: "A client certificate whose only URI is this SPIFFE id.",
    pattern: "^spiffe://",
  }),
  dns: text("a DNS name in lower case, without a star", DNS_NAME)
    .optional()
    .meta({ description: "A client certificate with this DNS name." }),
  publicKey: text("a pin of the form sha256//BASE64, the SHA-256 of the public key", /^sha256\/\/[A-Za-z0-9+/]{43}=$/)
    .optional()
    .meta({ description: "A client certificate for this public key: sha256//BASE64 of its SubjectPublicKeyInfo." }),
  jwt: jwtSchema.optional(),
}).meta({ description: "What proves who somebody is: exactly one of these.", minProperties: 1, maxProperties: 1 });
