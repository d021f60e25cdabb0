import { DEFAULT_UNIVERSE_DOMAIN } from "./defaults.ts";
import type { GoogleShape, PartialShape, RuleShape, TokenSourceShape } from "./document.ts";
import { parseEndpoint } from "./endpoint.ts";
import type { KeyPath } from "./issue.ts";
import { error, type Judgement, warning } from "./judgement.ts";

/**
 * Credential, token endpoints and Cloud KMS must be of one universe: a token of one is refused in another, and should
 * not have been shown there. What the config alone tells is checked here, what credentials tell when they are read.
 * https://cloud.google.com/kms/docs/reference/universe-domains
 */
export function* checkUniverses({ google, rules, tokenSources }: PartialShape): Generator<Judgement> {
  // Without it, everything that follows would be a guess.
  if (google === undefined) return;
  yield* checkEndpoints(google);
  for (const [index, rule] of rules.entries()) {
    if (rule !== undefined) yield* checkRule(rule, ["rules", index], google, tokenSources);
  }
}

function* checkEndpoints({ universeDomain, endpoints }: GoogleShape): Generator<Judgement> {
  for (const service of ["kms", "oauth2", "sts", "iamCredentials"] as const) {
    const universe = universeOf(endpoints[service]);
    if (universe === undefined || universe.domain === universeDomain) continue;
    const say = universe.isCertain ? error : warning;
    const verb = universe.isCertain ? "is" : "looks like";
    yield say(
      ["google", "endpoints", service],
      `${verb} an endpoint of another universe than google.universeDomain (${universeDomain}); its tokens are good for nothing there`,
    );
  }
}

function* checkRule(
  { kms, tokenSource }: RuleShape,
  path: KeyPath,
  { universeDomain }: GoogleShape,
  sources: PartialShape["tokenSources"],
): Generator<Judgement> {
  const { key, domain } = universeOfRule(kms);
  if (domain === undefined || domain === universeDomain) return;
  const names = typeof tokenSource === "string" ? [tokenSource] : tokenSource;
  const bound = names.find((name) => isBound(sources.get(name)));
  if (bound === undefined) return;
  yield error(
    [...path, "kms", key],
    `is of another universe than google.universeDomain (${universeDomain}), and token source ${bound} gives tokens of that one; keys of another universe need a server of their own, or an access_token source`,
  );
}

function universeOfRule(kms: RuleShape["kms"]): { key: string; domain: string | undefined } {
  if (kms.endpoint === undefined) return { key: "universeDomain", domain: kms.universeDomain };
  const universe = universeOf(kms.endpoint);
  return { key: "endpoint", domain: universe?.isCertain === true ? universe.domain : undefined };
}

/** Whether its tokens are of the configured universe, come what may. A finished token is of whichever made it. */
function isBound(source: TokenSourceShape | undefined): boolean {
  switch (source?.type) {
    case undefined:
    case "access_token":
    case "exec":
    case "module":
    case "gdch_service_account":
      return false;
    case "default":
    case "service_account":
    case "authorized_user":
    case "impersonated_service_account":
    case "metadata":
    case "external_account":
    case "external_account_authorized_user":
      return true;
  }
}

const SERVICE_HOST =
  /^(?:cloudkms(?:\.[a-z0-9-]+(?:\.p)?\.rep)?|oauth2|sts|iamcredentials)\.([a-z0-9-]+(?:\.[a-z0-9-]+)+)$/;

/**
 * The universe that an endpoint's host is of, where it tells. Only Google's own domain is certain: `sts.corp.example`
 * may as well be somebody's proxy.
 */
function universeOf(endpoint: string | undefined): { domain: string; isCertain: boolean } | undefined {
  const parsed = endpoint === undefined ? undefined : parseEndpoint(endpoint);
  if (parsed === undefined || typeof parsed === "string") return undefined;
  if (parsed.host.endsWith(`.${DEFAULT_UNIVERSE_DOMAIN}`)) return { domain: DEFAULT_UNIVERSE_DOMAIN, isCertain: true };
  const domain = SERVICE_HOST.exec(parsed.host)?.[1];
  return domain === undefined ? undefined : { domain, isCertain: false };
}
