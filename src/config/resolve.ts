import { dirname, resolve as resolvePath } from "node:path";
import { parseListenAddress } from "./address.ts";
import { resolveAudit } from "./audit.ts";
import type {
  Config,
  CredentialLocation,
  GoogleConfig,
  GoogleEndpoints,
  LimitsConfig,
  ListenerConfig,
  RuleConfig,
  RuleKmsConfig,
  TokenSourceConfig,
} from "./config.ts";
import {
  DEFAULT_ATTEMPT_TIMEOUT_MS,
  DEFAULT_DEADLINE_MS,
  DEFAULT_EXEC_TIMEOUT_MS,
  DEFAULT_LIFETIME_MS,
  DEFAULT_RULE_CALLS,
  DEFAULT_SOCKET_MODE,
} from "./defaults.ts";
import type {
  ConfigShape,
  EndpointsShape,
  ExecShape,
  GoogleShape,
  ImpersonatedShape,
  LimitsShape,
  ListenerShape,
  LocationShape,
  RuleShape,
  TokenSourceShape,
} from "./document.ts";
import { parseEndpoint } from "./endpoint.ts";
import { deepFreeze } from "./freeze.ts";
import { type ProxyConfig, parseProxySetting } from "./proxy.ts";
import { resolveCallers } from "./resolve-callers.ts";
import { resolveApprove, resolveCallerLimits, resolvePolicyEntry, resolveRuleLimits } from "./resolve-policy.ts";
import { resolveTls } from "./resolve-tls.ts";

/** A document that passed every check, as the program uses it. @param path of the file; other paths are relative to it */
export function resolveConfig(shape: ConfigShape, path: string, hash: string): Config {
  const file = resolvePath(path);
  const absolute = (relative: string) => resolvePath(dirname(file), relative);
  const google = resolveGoogle(shape.google, absolute);
  const sources = Object.entries(shape.tokenSources);
  return deepFreeze({
    path: file,
    hash,
    listeners: shape.listeners.map((listener) => resolveListener(listener, absolute)),
    callers: resolveCallers(shape.callers, absolute),
    tokenSources: new Map(sources.map(([name, source]) => [name, resolveSource(source, absolute)])),
    rules: shape.rules.map((rule) => resolveRule(rule, google, absolute)),
    deny: shape.deny.map(resolvePolicyEntry),
    google,
    limits: resolveLimits(shape.limits),
    callerLimits: resolveCallerLimits(shape.limits),
    audit: shape.audit === undefined ? undefined : resolveAudit(shape.audit, absolute),
    stateDirectory: shape.stateDirectory === undefined ? undefined : absolute(shape.stateDirectory),
  });
}

type Absolute = (path: string) => string;

function resolveListener(listener: ListenerShape, absolute: Absolute): ListenerConfig {
  const address = parseListenAddress(listener.address);
  if (typeof address === "string") throw new TypeError("a listener passed the checks without a valid address");
  const { caller } = listener;
  if (address.kind === "tcp") {
    const tls = listener.tls === undefined ? {} : { tls: resolveTls(listener.tls, absolute) };
    return { ...address, insecure: listener.insecure ?? false, caller, ...tls };
  }
  const group = listener.group === undefined ? undefined : String(listener.group);
  return { ...address, mode: Number.parseInt(listener.mode ?? DEFAULT_SOCKET_MODE, 8), group, caller };
}

function resolveSource(source: TokenSourceShape, absolute: Absolute): TokenSourceConfig {
  switch (source.type) {
    case "access_token":
      return { type: source.type, token: resolveLocation(source, absolute) };
    case "service_account":
      return { type: source.type, credential: resolveLocation(source, absolute), grant: source.grant };
    case "authorized_user":
      return { type: source.type, credential: resolveLocation(source, absolute) };
    case "external_account":
      return {
        type: source.type,
        credential: resolveLocation(source, absolute),
        delegates: source.delegates ?? [],
        lifetimeMs: source.lifetime,
        allowExecutable: source.allowExecutable,
        subjectTokenHosts: source.subjectTokenHosts ?? [],
        subjectTokenFrom: source.subjectToken?.from ?? "credential",
      };
    case "impersonated_service_account":
      return resolveImpersonated(source, absolute);
    case "metadata":
      return { type: source.type, account: source.account, timeoutMs: source.timeout };
    case "default":
      return { type: source.type };
    case "exec":
      return resolveExec(source, absolute);
    case "module":
      return { type: source.type, path: absolute(source.path), options: source.options };
    case "gdch_service_account":
      return { type: source.type, credential: resolveLocation(source, absolute), audience: source.audience };
    case "external_account_authorized_user":
      return { type: source.type, credential: resolveLocation(source, absolute) };
  }
}

function resolveExec({ type, command, env, cwd = ".", timeout }: ExecShape, absolute: Absolute): TokenSourceConfig {
  return { type, command, env, cwd: absolute(cwd), timeoutMs: timeout ?? DEFAULT_EXEC_TIMEOUT_MS };
}

function resolveImpersonated(shape: ImpersonatedShape, absolute: Absolute): TokenSourceConfig {
  const { type, source, target } = shape;
  if (source === undefined || target === undefined) return { type, credential: resolveLocation(shape, absolute) };
  return { type, source, target, delegates: shape.delegates ?? [], lifetimeMs: shape.lifetime ?? DEFAULT_LIFETIME_MS };
}

function resolveLocation({ file, env }: LocationShape, absolute: Absolute): CredentialLocation {
  if (file !== undefined) return { kind: "file", path: absolute(file) };
  if (env !== undefined) return { kind: "env", variable: env };
  throw new TypeError("a token source passed the checks without file or env");
}

function resolveRule(rule: RuleShape, google: GoogleConfig, absolute: Absolute): RuleConfig {
  return {
    name: rule.name,
    match: rule.match,
    tokenSource: typeof rule.tokenSource === "string" ? [rule.tokenSource] : rule.tokenSource,
    allow: rule.allow?.map(resolvePolicyEntry),
    deny: rule.deny.map(resolvePolicyEntry),
    limits: resolveRuleLimits(rule.limits),
    approve: rule.approve === undefined ? undefined : resolveApprove(rule.approve, absolute),
    kms: resolveKms(rule, google, absolute),
    cache: rule.cache === undefined ? undefined : { ttlMs: rule.cache.ttl, maxEntries: rule.cache.maxEntries },
  };
}

function resolveKms({ kms }: RuleShape, google: GoogleConfig, absolute: Absolute): RuleKmsConfig {
  const ofUniverse = kms.universeDomain === undefined ? google.endpoints.kms : `https://cloudkms.${kms.universeDomain}`;
  const deadlineMs = kms.deadline ?? DEFAULT_DEADLINE_MS;
  return {
    endpoint: toBaseUrl(kms.endpoint) ?? ofUniverse,
    quotaProject: kms.quotaProject,
    transport: kms.transport ?? "rest",
    deadlineMs,
    attemptTimeoutMs: kms.attemptTimeout ?? Math.min(DEFAULT_ATTEMPT_TIMEOUT_MS, deadlineMs),
    proxy: resolveProxy(kms.proxy),
    caFile: kms.caFile === undefined ? undefined : absolute(kms.caFile),
    maxCalls: kms.maxCalls ?? DEFAULT_RULE_CALLS,
  };
}

function resolveProxy(text: string | undefined): ProxyConfig | undefined {
  const setting = text === undefined ? undefined : parseProxySetting(text);
  if (typeof setting === "string") throw new TypeError("a proxy passed the checks without being valid");
  return setting;
}

function resolveGoogle(google: GoogleShape, absolute: Absolute): GoogleConfig {
  const { universeDomain } = google;
  return {
    universeDomain,
    endpoints: resolveEndpoints(universeDomain, google.endpoints),
    caFile: google.caFile === undefined ? undefined : absolute(google.caFile),
  };
}

/** A universe's endpoints, but for those that are given. */
export function resolveEndpoints(universeDomain: string, given: EndpointsShape): GoogleEndpoints {
  return {
    kms: toBaseUrl(given.kms) ?? `https://cloudkms.${universeDomain}`,
    oauth2: toBaseUrl(given.oauth2) ?? `https://oauth2.${universeDomain}`,
    sts: toBaseUrl(given.sts) ?? `https://sts.${universeDomain}`,
    iamCredentials: toBaseUrl(given.iamCredentials) ?? `https://iamcredentials.${universeDomain}`,
    metadata: toBaseUrl(given.metadata),
  };
}

function toBaseUrl(text: string | undefined): string | undefined {
  if (text === undefined) return undefined;
  const endpoint = parseEndpoint(text);
  if (typeof endpoint === "string") throw new TypeError("an endpoint passed the checks without being valid");
  return endpoint.url;
}

function resolveLimits(limits: LimitsShape): LimitsConfig {
  const { maxConnections, maxStreamsPerConnection, maxCalls, maxMessageBytes } = limits;
  return {
    maxConnections,
    maxStreamsPerConnection,
    maxCalls,
    maxMessageBytes,
    handshakeMs: limits.handshake,
    connectionIdleMs: limits.connectionIdle,
    connectionAgeMs: limits.connectionAge,
    drainMs: limits.drain,
  };
}
