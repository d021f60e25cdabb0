import * as z from "zod";
import type { PolicyEntryShape } from "./document.ts";
import { list, matchField, nameField, section } from "./schema-fields.ts";

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
