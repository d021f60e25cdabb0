import { type core, ZodObject, type ZodType } from "zod";
import type { ConfigShape, PartialShape } from "./document.ts";
import type { Finding, KeyPath } from "./issue.ts";
import { configSchema, googleSchema, limitsSchema, listenerSchema, ruleSchema } from "./schema.ts";
import { auditSchema } from "./schema-audit.ts";
import { callerSchema } from "./schema-callers.ts";
import { describeSchemaIssues } from "./schema-issues.ts";
import { policyEntrySchema } from "./schema-policy.ts";
import { tokenSourceSchema } from "./schema-token-sources.ts";
import type { PlainObject, PlainValue } from "./yaml-reader.ts";

export interface ShapeResult {
  /** The whole config, where its shape is right. */
  readonly whole: ConfigShape | undefined;
  /** What could be read of it in any case. */
  readonly partial: PartialShape;
  readonly findings: readonly Finding[];
}

/** Holds a document against the schema. */
export function readShape(document: PlainValue): ShapeResult {
  const knownKeys = new Map<string, readonly string[]>();
  const result = configSchema.safeParse(document, {
    // Zod says which keys it does not know, but not which it does.
    error: (issue) => rememberKeys(issue, knownKeys),
  });
  if (result.success) return { whole: result.data, partial: toPartial(result.data), findings: [] };
  const known = (path: KeyPath) => knownKeys.get(JSON.stringify(path)) ?? [];
  return {
    whole: undefined,
    partial: salvage(document),
    findings: describeSchemaIssues(result.error.issues, document, known),
  };
}

function rememberKeys(issue: core.$ZodRawIssue, knownKeys: Map<string, readonly string[]>): undefined {
  if (issue.code !== "unrecognized_keys" || !(issue.inst instanceof ZodObject)) return;
  knownKeys.set(JSON.stringify(issue.path ?? []), Object.keys(issue.inst.shape));
}

function toPartial(config: ConfigShape): PartialShape {
  const { listeners, rules, deny, google, limits, audit } = config;
  const tokenSources = new Map(Object.entries(config.tokenSources));
  const callerProofs = new Map(Object.entries(config.callers));
  const callers = new Set([...callerProofs.keys(), ...listeners.flatMap(({ caller }) => caller ?? [])]);
  return { listeners, tokenSources, rules, deny, google, limits, audit, callerProofs, callers };
}

/** Each part by itself, so that one bad rule does not hide what is wrong with the others. */
function salvage(document: PlainValue): PartialShape {
  const parts = isObject(document) ? document : {};
  const sources = entriesOf(parts["tokenSources"]);
  const callers = entriesOf(parts["callers"]);
  return {
    listeners: itemsOf(parts["listeners"]).map((item) => readPart(listenerSchema, item)),
    tokenSources: new Map(sources.map(([name, source]) => [name, readPart(tokenSourceSchema, source)])),
    rules: itemsOf(parts["rules"]).map((item) => readPart(ruleSchema, item)),
    deny: itemsOf(parts["deny"]).map((item) => readPart(policyEntrySchema, item)),
    google: readPart(googleSchema, parts["google"] ?? {}),
    limits: readPart(limitsSchema, parts["limits"] ?? {}),
    audit: readPart(auditSchema, parts["audit"]),
    callerProofs: new Map(callers.map(([name, caller]) => [name, readPart(callerSchema, caller)])),
    callers: new Set([
      ...callers.map(([name]) => name),
      ...itemsOf(parts["listeners"]).flatMap((item) => readCaller(item) ?? []),
    ]),
  };
}

function readPart<T>(schema: ZodType<T>, value: unknown): T | undefined {
  return schema.safeParse(value).data;
}

function readCaller(listener: PlainValue): string | undefined {
  const caller = isObject(listener) ? listener["caller"] : undefined;
  return typeof caller === "string" ? caller : undefined;
}

function entriesOf(value: PlainValue | undefined): readonly (readonly [string, PlainValue])[] {
  return isObject(value) ? Object.entries(value) : [];
}

function itemsOf(value: PlainValue | undefined): readonly PlainValue[] {
  return Array.isArray(value) ? value : [];
}

function isObject(value: PlainValue | undefined): value is PlainObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
