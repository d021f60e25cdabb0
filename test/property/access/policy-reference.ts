import fc from "fast-check";

/** A config's policy as its file has it, and the plainest evaluator of it that we could write. */
export interface PolicyDocument {
  readonly deny: readonly EntryDocument[];
  readonly rules: readonly RuleDocument[];
}

export interface RuleDocument {
  readonly name: string;
  readonly match: string;
  readonly allow?: readonly EntryDocument[];
  readonly deny?: readonly EntryDocument[];
}

export interface EntryDocument {
  readonly callers?: readonly string[];
  readonly operations?: readonly Operation[];
  readonly match?: string;
}

export type Operation = "encrypt" | "decrypt";

export interface Question {
  readonly key: string;
  readonly names: readonly string[];
  readonly operation: Operation;
  readonly isLocal: boolean;
}

/** The name of the rule that lets it through; undefined: refused. */
export function evaluate({ deny, rules }: PolicyDocument, question: Question): string | undefined {
  if (deny.some((entry) => fits(entry, question))) return undefined;
  const rule = rules.find(({ match }) => matches(match, question.key));
  if (rule === undefined) return undefined;
  if ((rule.deny ?? []).some((entry) => fits(entry, question))) return undefined;
  if (rule.allow === undefined) return question.isLocal ? rule.name : undefined;
  return rule.allow.some((entry) => fits(entry, question)) ? rule.name : undefined;
}

function fits({ callers, operations, match }: EntryDocument, { names, operation, key }: Question): boolean {
  if (callers !== undefined && !callers.some((caller) => names.includes(caller))) return false;
  if (operations !== undefined && !operations.includes(operation)) return false;
  return match === undefined || matches(match, key);
}

function matches(pattern: string, key: string): boolean {
  const expression = pattern.replaceAll("*", "[^/]*");
  return new RegExp(`^${expression}$`).test(key);
}

export const CALLERS = ["team-a", "team-b", "operator"] as const;
export const OPERATIONS = ["encrypt", "decrypt"] as const;
const PROJECTS = ["app-dev", "app-prod", "web-prod"] as const;
const KEYS_OF_RING = ["x", "yx"] as const;
export const KEYS: readonly string[] = PROJECTS.flatMap((project) => KEYS_OF_RING.map((key) => nameOf(project, key)));

function nameOf(project: string, key: string): string {
  return `projects/${project}/locations/global/keyRings/sops/cryptoKeys/${key}`;
}

const pattern = fc
  .tuple(fc.constantFrom("*", "*", "app-*", "*-prod", ...PROJECTS), fc.constantFrom("*", "*", "*x", ...KEYS_OF_RING))
  .map(([project, key]) => nameOf(project, key));

/** @param needed what every entry has, since one that names nothing is an error */
const entry = (needed: "callers" | "operations"): fc.Arbitrary<EntryDocument> =>
  fc.record(
    {
      callers: fc.uniqueArray(fc.constantFrom(...CALLERS), { minLength: 1 }),
      operations: fc.uniqueArray(fc.constantFrom(...OPERATIONS), { minLength: 1 }),
      match: pattern,
    },
    { requiredKeys: [needed] },
  );

const entries = (maxLength: number) => fc.array(fc.oneof(entry("callers"), entry("operations")), { maxLength });

const rule = (name: string): fc.Arbitrary<RuleDocument> =>
  fc.record(
    { name: fc.constant(name), match: pattern, allow: entries(4), deny: entries(1) },
    { requiredKeys: ["name", "match"] },
  );

export const policyDocument: fc.Arbitrary<PolicyDocument> = fc.record({
  deny: fc.oneof({ arbitrary: fc.constant([]), weight: 3 }, { arbitrary: entries(2), weight: 1 }),
  rules: fc.integer({ min: 0, max: 4 }).chain((count) => {
    return fc.tuple(...Array.from({ length: count }, (_, index) => rule(`rule-${index}`)));
  }),
});
