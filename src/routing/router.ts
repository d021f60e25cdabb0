import { covers, findMismatch, matchesIds, type Pattern, parsePattern } from "./pattern.ts";
import { type CryptoKeyName, idsOf, NAME_PARTS } from "./resource-name.ts";

/** What routing needs of a rule. */
export interface RoutedRule {
  readonly name: string;
  readonly match: string;
}

/** Rules with their patterns compiled, in the order in which they are tried. */
export interface Router<R extends RoutedRule> {
  /** The first rule that matches. */
  route(key: CryptoKeyName): R | undefined;
  /** Why rules did and did not match, up to the one that did. */
  trace(key: CryptoKeyName): readonly TrailStep[];
}

/** One rule that was tried. */
export interface TrailStep {
  readonly rule: string;
  readonly match: string;
  /** The first part of the name that does not fit, such as `project id`; undefined: all fit. */
  readonly mismatch: string | undefined;
  /** How many of the four ids fit before that. */
  readonly fitting: number;
}

interface Route<R> {
  readonly rule: R;
  readonly pattern: Pattern;
}

/** @throws PatternError where a `match` is not valid; a loaded config holds none of these */
export function createRouter<R extends RoutedRule>(rules: readonly R[]): Router<R> {
  const routes = compile(rules);
  return {
    route(key) {
      const ids = idsOf(key);
      return routes.find(({ pattern }) => matchesIds(pattern, ids))?.rule;
    },
    trace(key) {
      const ids = idsOf(key);
      const found = routes.findIndex(({ pattern }) => matchesIds(pattern, ids));
      const tried = found === -1 ? routes : routes.slice(0, found + 1);
      return tried.map(({ rule, pattern }) => toTrailStep(rule, findMismatch(pattern, ids)));
    },
  };
}

function toTrailStep(rule: RoutedRule, mismatch: number | undefined): TrailStep {
  return {
    rule: rule.name,
    match: rule.match,
    mismatch: mismatch === undefined ? undefined : NAME_PARTS[mismatch]?.what,
    fitting: mismatch ?? NAME_PARTS.length,
  };
}

/** A rule that is never reached, since an earlier one matches all that it does. */
export interface UnreachableRule {
  /** Position in the list of rules. */
  readonly index: number;
  readonly coveredBy: number;
}

/** @throws PatternError where a `match` is not valid */
export function findUnreachable(rules: readonly RoutedRule[]): readonly UnreachableRule[] {
  const routes = compile(rules);
  return routes.flatMap(({ pattern }, index) => {
    // Ends at the rule itself at the latest: every pattern covers itself.
    const coveredBy = routes.findIndex((earlier) => covers(earlier.pattern, pattern));
    return coveredBy === index ? [] : [{ index, coveredBy }];
  });
}

function compile<R extends RoutedRule>(rules: readonly R[]): readonly Route<R>[] {
  return rules.map((rule) => ({ rule, pattern: parsePattern(rule.match) }));
}
