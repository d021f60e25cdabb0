import * as z from "zod";
import type { CallerLimitShape, PolicyEntryShape, RuleLimitsShape } from "./document.ts";
import { countField, list, matchField, nameField, section } from "./schema-fields.ts";

const operations = list(
  z.enum(["encrypt", "decrypt"], { error: "expected encrypt or decrypt" }),
  "of encrypt, decrypt",
  1,
  2,
);

/** An entry of `allow` or `deny`. */
export const policyEntrySchema: z.ZodType<PolicyEntryShape> = section({
  callers: list(nameField(), "names of callers", 1, 1000).optional().meta({ description: "Who. Default: any caller." }),
  operations: operations.optional().meta({ description: "What. Default: both." }),
  match: matchField()
    .optional()
    .meta({ description: "Which keys, as in a rule's match. Default: all.", pattern: "^projects/" }),
}).meta({ description: "Callers, what they do, and with which keys.", minProperties: 1 });

export function policyEntries(): z.ZodArray<typeof policyEntrySchema> {
  return list(policyEntrySchema, "entries with callers, operations and match", 0, 1000);
}

/** A number, fractions included, between two others. */
function rateField(minimum: number, maximum: number): z.ZodNumber {
  const error = `expected a number from ${minimum} to ${maximum}`;
  return z.number({ error }).min(minimum, { error }).max(maximum, { error });
}

export function callerLimitSchema(): z.ZodType<CallerLimitShape> {
  return section({
    callsPerSecond: rateField(0.001, 100_000)
      .optional()
      .meta({ description: "Calls a second; 0.1 is one in ten seconds. Default: any number." }),
    burst: countField(1, 100_000)
      .optional()
      .meta({ description: "Calls that may come at once after a pause. Default: those of a second, or one." }),
    callsAtOnce: countField(1, 65_535).optional().meta({ description: "Calls in flight. Default: any number." }),
  }).meta({ minProperties: 1 });
}

export const ruleLimitsSchema: z.ZodType<RuleLimitsShape> = section({
  perCaller: callerLimitSchema()
    .optional()
    .meta({ description: "How much each caller may ask for under this rule. Default: no limit but the general ones." }),
});
