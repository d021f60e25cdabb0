import type {
  ApproveConfig,
  Config,
  KmsTransportName,
  Operation,
  RuleConfig,
  TokenSourceConfig,
} from "../config/config.ts";
import { KeyServiceError } from "../core/errors.ts";
import { type CryptoKeyName, parseCryptoKeyName } from "../routing/resource-name.ts";
import type { TrailStep } from "../routing/router.ts";
import { approvalFor } from "./approval.ts";
import { type AppliedLimit, limitsFor } from "./caller-limits.ts";
import { createDecide } from "./decision.ts";
import { type Asker, findOrigin } from "./origin.ts";

/** What the config decides for one request, as plain data for people and programs. */
export interface Explanation {
  readonly decision: "allowed" | "refused";
  /** The error's code where it is refused. */
  readonly code: string | null;
  readonly reason: string;
  /** What to do where it is refused. */
  readonly remedy: string | null;
  readonly key: string;
  readonly operation: Operation;
  readonly caller: string | null;
  /** The listener that the request is taken to come by. */
  readonly listener: string;
  readonly rule: string | null;
  readonly match: string | null;
  /** In the order in which they are asked. */
  readonly tokenSources: readonly ExplainedSource[];
  readonly endpoint: string | null;
  readonly quotaProject: string | null;
  /** How Cloud KMS would be asked. */
  readonly kms: ExplainedKms | null;
  /** How long a decrypted data key is kept; null: it is not. */
  readonly cacheTtlMs: number | null;
  /** Who would be asked before the call goes on. */
  readonly approval: ExplainedApproval | null;
  /** What the caller's calls under this rule are held to. */
  readonly limits: readonly ExplainedLimit[];
  /** The rules that were tried. */
  readonly trail: readonly ExplainedStep[];
  /** What the reader may have overlooked. */
  readonly notes: readonly string[];
}

export interface ExplainedKms {
  readonly transport: KmsTransportName;
  readonly deadlineMs: number;
  readonly attemptTimeoutMs: number;
}

export interface ExplainedSource {
  readonly name: string;
  readonly type: TokenSourceConfig["type"];
  /** Where its credential comes from, or whom it becomes. */
  readonly detail: string;
}

export interface ExplainedApproval {
  /** `command NAME` or `terminal`. */
  readonly by: string;
  readonly timeoutMs: number;
  /** 0: it is good for one call. */
  readonly rememberMs: number;
}

export interface ExplainedLimit {
  /** Whose calls are counted. */
  readonly whose: string;
  /** Where it stands in the config. */
  readonly place: string;
  readonly callsPerSecond: number | null;
  readonly burst: number;
  readonly callsAtOnce: number | null;
}

export interface ExplainedStep {
  readonly rule: string;
  readonly match: string;
  readonly matched: boolean;
  /** The first part of the key's name that does not fit. */
  readonly mismatch: string | null;
}

/** Decides as the server does, and tells all of it. Asks nobody. */
export function explainRequest(config: Config, resource: string, asker: Asker, operation: Operation): Explanation {
  const origin = findOrigin(config, asker);
  const base = {
    key: resource,
    operation,
    caller: typeof asker === "object" ? origin.caller.names.join(", ") || null : (asker ?? null),
    listener: origin.caller.listener,
    notes: origin.notes,
  };
  const key = parseKey(resource);
  if (key instanceof KeyServiceError)
    return {
      ...base,
      ...describeRule(config, undefined),
      ...describeError(key),
      approval: null,
      limits: [],
      trail: [],
    };
  const request = { key, operation, caller: origin.caller, listenerIsLocal: origin.isLocal };
  const decision = createDecide(config)(request);
  const outcome = decision.allowed
    ? { decision: "allowed" as const, code: null, reason: decision.reason, remedy: null }
    : describeError(decision.error);
  const limits = decision.allowed
    ? limitsFor(origin.caller, decision.rule, config.callerLimits).map(describeLimit)
    : [];
  const approval = decision.allowed ? describeApproval(approvalFor(decision.rule, operation)) : null;
  const trail = decision.trail().map(describeStep);
  return { ...outcome, ...base, ...describeRule(config, decision.rule), approval, limits, trail };
}

function parseKey(resource: string): CryptoKeyName | KeyServiceError {
  try {
    return parseCryptoKeyName(resource);
  } catch (error) {
    if (error instanceof KeyServiceError) return error;
    throw error;
  }
}

function describeError(error: KeyServiceError): Pick<Explanation, "decision" | "code" | "reason" | "remedy"> {
  return {
    decision: "refused",
    code: error.code,
    reason: error.detail.problem,
    remedy: error.detail.remedy ?? null,
  };
}

function describeRule(
  config: Config,
  rule: RuleConfig | undefined,
): Pick<Explanation, "rule" | "match" | "tokenSources" | "endpoint" | "quotaProject" | "kms" | "cacheTtlMs"> {
  if (rule === undefined) {
    const none = { rule: null, match: null, endpoint: null, quotaProject: null, kms: null, cacheTtlMs: null };
    return { ...none, tokenSources: [] };
  }
  const { transport, deadlineMs, attemptTimeoutMs } = rule.kms;
  return {
    rule: rule.name,
    match: rule.match,
    tokenSources: rule.tokenSource.flatMap((name) => describeSource(config, name)),
    endpoint: rule.kms.endpoint,
    quotaProject: rule.kms.quotaProject ?? null,
    kms: { transport, deadlineMs, attemptTimeoutMs },
    cacheTtlMs: rule.cache?.ttlMs ?? null,
  };
}

function describeApproval(approve: ApproveConfig | undefined): ExplainedApproval | null {
  if (approve === undefined) return null;
  const { timeoutMs, rememberMs } = approve;
  // Arguments are not shown, as with token sources.
  return { by: approve.by === "command" ? `command ${approve.command[0]}` : "terminal", timeoutMs, rememberMs };
}

function describeLimit({ whose, place, limit }: AppliedLimit): ExplainedLimit {
  const { callsPerSecond = null, burst, callsAtOnce = null } = limit;
  return { whose, place, callsPerSecond, burst, callsAtOnce };
}

function describeStep({ rule, match, mismatch }: TrailStep): ExplainedStep {
  return { rule, match, matched: mismatch === undefined, mismatch: mismatch ?? null };
}

function describeSource(config: Config, name: string): readonly ExplainedSource[] {
  const source = config.tokenSources.get(name);
  return source === undefined ? [] : [{ name, type: source.type, detail: describeOrigin(source, config) }];
}

function describeOrigin(source: TokenSourceConfig, config: Config): string {
  switch (source.type) {
    case "access_token":
      return describeLocation(source.token);
    case "service_account":
      return `${describeLocation(source.credential)}, grant ${source.grant}`;
    case "authorized_user":
    case "external_account_authorized_user":
    case "external_account":
      return describeLocation(source.credential);
    case "gdch_service_account":
      return `${describeLocation(source.credential)}, audience ${source.audience}`;
    case "impersonated_service_account":
      return describeImpersonation(source, config);
    case "metadata":
      return `account ${source.account}`;
    case "default":
      return "what sops itself would take";
    // Arguments are not shown: somebody may have put into them what is not to be seen.
    case "exec":
      return `command ${source.command[0]}`;
    case "module":
      return `file ${source.path}`;
  }
}

function describeImpersonation(
  source: Extract<TokenSourceConfig, { type: "impersonated_service_account" }>,
  config: Config,
): string {
  if ("credential" in source) return describeLocation(source.credential);
  const [below] = describeSource(config, source.source);
  const hops = source.delegates.length === 0 ? "" : ` by way of ${source.delegates.join(", ")}`;
  return `${source.target}${hops}, from ${source.source} (${below?.type}: ${below?.detail})`;
}

function describeLocation(location: { kind: "file"; path: string } | { kind: "env"; variable: string }): string {
  return location.kind === "file" ? `file ${location.path}` : `environment variable ${location.variable}`;
}
