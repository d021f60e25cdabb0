import * as z from "zod";
import { DEFAULT_APPROVE_TIMEOUT_MS } from "./defaults.ts";
import type { ApproveShape, CallerLimitShape, PolicyEntryShape, RuleLimitsShape } from "./document.ts";
import { renderDuration } from "./duration.ts";
import {
  countField,
  durationField,
  list,
  matchField,
  nameField,
  pathField,
  section,
  text,
  variableField,
} from "./schema-fields.ts";

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

/** `check-policy.ts` sees to it that it has exactly one of command and prompt. */
export const approveSchema: z.ZodType<ApproveShape> = section({
  command: list(
    text("text of at most 4096 characters", /^[^\0]{0,4096}$/),
    "texts: the program and its arguments",
    1,
    64,
  )
    .optional()
    .meta({ description: "A program that says yes by ending with 0, and its arguments. No shell reads it." }),
  prompt: z
    .literal("terminal", { error: "expected terminal" })
    .optional()
    .meta({ description: "Ask at the terminal that sops-keyd runs in." }),
  env: list(variableField(), "names of environment variables", 0, 100)
    .optional()
    .meta({ description: "Environment variables that the command gets, besides PATH, HOME and SOPS_KEYD_*." }),
  cwd: pathField()
    .optional()
    .meta({ description: "Directory that the command runs in. Default: the directory of the config file." }),
  operations: operations.optional().meta({ description: "What is asked about. Default: both." }),
  timeout: durationField(1000, 600_000)
    .optional()
    .meta({
      description: "How long a call waits for its approval; no part of kms.deadline.",
      shownDefault: renderDuration(DEFAULT_APPROVE_TIMEOUT_MS),
    }),
  remember: durationField(1000, 3_600_000)
    .optional()
    .meta({ description: "How long it is good for the same caller, operation and key. Default: for one call." }),
});
