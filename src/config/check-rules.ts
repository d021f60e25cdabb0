import { globMatches } from "../routing/glob.ts";
import { locationOfPattern, parsePattern } from "../routing/pattern.ts";
import { findUnreachable } from "../routing/router.ts";
import { findOpenListener } from "./check-listeners.ts";
import { unknownSource } from "./check-sources.ts";
import { checkTransport } from "./check-transport.ts";
import { DEFAULT_DEADLINE_MS, MAX_PROMPT_CACHE_TTL_MS } from "./defaults.ts";
import type { PartialShape, RuleShape } from "./document.ts";
import { parseEndpoint, regionOfEndpoint } from "./endpoint.ts";
import type { KeyPath } from "./issue.ts";
import { error, type Judgement, warning } from "./judgement.ts";

export function* checkRules(config: PartialShape): Generator<Judgement> {
  const openListener = findOpenListener(config);
  for (const [index, rule] of config.rules.entries()) {
    if (rule === undefined) continue;
    const path = ["rules", index];
    yield* checkTokenSourceNames(rule, path, config);
    yield* checkKms(rule, path, config.google?.endpoints.kms);
    yield* checkCache(rule, path);
    yield* checkTransport(rule, path, config.google);
    if (openListener !== undefined && rule.allow === undefined) {
      yield error(
        [...path, "allow"],
        `is missing, and other machines can reach listeners[${openListener}]; say who may use this rule`,
      );
    }
  }
  yield* checkNames(config);
  yield* checkReach(config);
}

function* checkNames({ rules }: PartialShape): Generator<Judgement> {
  const seen = new Map<string, number>();
  for (const [index, rule] of rules.entries()) {
    if (rule === undefined) continue;
    const earlier = seen.get(rule.name);
    if (earlier !== undefined) yield error(["rules", index, "name"], `rules[${earlier}] has the same name`);
    seen.set(rule.name, earlier ?? index);
  }
}

function* checkTokenSourceNames({ tokenSource }: RuleShape, path: KeyPath, config: PartialShape): Generator<Judgement> {
  const names = typeof tokenSource === "string" ? [tokenSource] : tokenSource;
  for (const [index, name] of names.entries()) {
    const at = [...path, "tokenSource", ...(typeof tokenSource === "string" ? [] : [index])];
    if (!config.tokenSources.has(name)) yield unknownSource(at, name, config);
    else if (names.indexOf(name) < index) yield error(at, "is in this chain already");
  }
}

function* checkKms({ match, kms }: RuleShape, rulePath: KeyPath, usual: string | undefined): Generator<Judgement> {
  const path = [...rulePath, "kms"];
  if (kms.attemptTimeout !== undefined && kms.attemptTimeout > (kms.deadline ?? DEFAULT_DEADLINE_MS)) {
    yield error([...path, "attemptTimeout"], "is longer than the deadline of the whole call");
  }
  if (kms.proxy?.startsWith("https:") === true && kms.transport === "grpc") {
    yield error([...path, "proxy"], "grpc goes by http proxies only, not by https ones; use transport: rest");
  }
  if (kms.endpoint === undefined) {
    if (usual !== undefined && kms.universeDomain === undefined)
      yield* checkRegion(match, usual, [...rulePath, "match"]);
    return;
  }
  if (kms.universeDomain !== undefined) {
    yield warning([...path, "universeDomain"], "has no effect beside endpoint", "key");
  }
  yield* checkRegion(match, kms.endpoint, [...path, "endpoint"]);
}

function* checkCache({ cache }: RuleShape, path: KeyPath): Generator<Judgement> {
  if (cache === undefined || cache.ttl <= MAX_PROMPT_CACHE_TTL_MS || cache.acceptLateRevocation === true) return;
  yield error(
    [...path, "cache", "ttl"],
    "more than 1m: for so long a permission taken away in Cloud KMS still serves here; write acceptLateRevocation: true beside it, or less",
  );
}

// A regional endpoint answers only for keys of its own location.
function* checkRegion(match: string, url: string, path: KeyPath): Generator<Judgement> {
  const endpoint = parseEndpoint(url);
  const region = typeof endpoint === "string" ? undefined : regionOfEndpoint(endpoint);
  if (region === undefined) return;
  const what = path.at(-1) === "match" ? "has google.endpoints.kms, which serves" : "serves";
  const location = locationOfPattern(parsePattern(match));
  if (!globMatches(location, region)) {
    yield error(path, `${what} keys in ${region} only, and no key of this rule lies there`);
  } else if (location.text !== region) {
    yield warning(path, `${what} keys in ${region} only; write locations/${region} in match, since others will fail`);
  }
}

function* checkReach({ rules }: PartialShape): Generator<Judgement> {
  const present = rules.flatMap((rule, index) => (rule === undefined ? [] : [{ rule, index }]));
  for (const { index, coveredBy } of findUnreachable(present.map(({ rule }) => rule))) {
    const [late, early] = [present[index], present[coveredBy]];
    if (late === undefined || early === undefined) continue;
    yield warning(
      ["rules", late.index, "match"],
      `never decides: rules[${early.index}] (${early.rule.name}) matches all of these keys before it`,
    );
  }
}
