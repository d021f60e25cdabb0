import type { AuditShape } from "./audit.ts";
import type { CallerShape } from "./callers.ts";
import type { KmsTransportName, Operation } from "./config.ts";
import type { TlsShape } from "./tls.ts";

/**
 * The config as it stands in the file, after the schema accepted its shape: durations in milliseconds and defaults
 * filled in, names not yet looked up, paths not yet absolute. `schema.ts` is checked against these types.
 */
export interface ConfigShape {
  readonly version: 1;
  readonly listeners: readonly ListenerShape[];
  readonly callers: Readonly<Record<string, CallerShape>>;
  readonly tokenSources: Readonly<Record<string, TokenSourceShape>>;
  readonly rules: readonly RuleShape[];
  readonly deny: readonly PolicyEntryShape[];
  readonly google: GoogleShape;
  readonly limits: LimitsShape;
  readonly audit?: AuditShape | undefined;
  readonly stateDirectory?: string | undefined;
}

export interface ListenerShape {
  readonly address: string;
  readonly mode?: string | undefined;
  readonly group?: string | number | undefined;
  readonly caller?: string | undefined;
  readonly insecure?: boolean | undefined;
  readonly tls?: TlsShape | undefined;
}

/** Where a credential lies; exactly one of the two. */
export interface LocationShape {
  readonly file?: string | undefined;
  readonly env?: string | undefined;
}

export interface AccessTokenShape extends LocationShape {
  readonly type: "access_token";
}

export interface ServiceAccountShape extends LocationShape {
  readonly type: "service_account";
  readonly grant: "self_signed" | "oauth";
}

export interface AuthorizedUserShape extends LocationShape {
  readonly type: "authorized_user";
}

export interface ExternalAccountShape extends LocationShape {
  readonly type: "external_account";
  readonly delegates?: readonly string[] | undefined;
  /** Milliseconds. */
  readonly lifetime?: number | undefined;
  readonly allowExecutable: boolean;
  readonly subjectTokenHosts?: readonly string[] | undefined;
  readonly subjectToken?: { readonly from: "caller" } | undefined;
}

/** Either `source` and `target`, or a credential file. */
export interface ImpersonatedShape extends LocationShape {
  readonly type: "impersonated_service_account";
  readonly source?: string | undefined;
  readonly target?: string | undefined;
  readonly delegates?: readonly string[] | undefined;
  /** Milliseconds. */
  readonly lifetime?: number | undefined;
}

export interface MetadataShape {
  readonly type: "metadata";
  readonly account: string;
  /** Milliseconds. */
  readonly timeout: number;
}

export interface DefaultShape {
  readonly type: "default";
}

export interface ExecShape {
  readonly type: "exec";
  readonly command: readonly string[];
  readonly env: readonly string[];
  readonly cwd?: string | undefined;
  /** Milliseconds. */
  readonly timeout?: number | undefined;
}

export interface ModuleShape {
  readonly type: "module";
  readonly path: string;
  readonly options: Readonly<Record<string, unknown>>;
}

export interface GdchServiceAccountShape extends LocationShape {
  readonly type: "gdch_service_account";
  readonly audience: string;
}

export interface ExternalAccountAuthorizedUserShape extends LocationShape {
  readonly type: "external_account_authorized_user";
}

export type TokenSourceShape =
  | AccessTokenShape
  | ServiceAccountShape
  | AuthorizedUserShape
  | ExternalAccountShape
  | ImpersonatedShape
  | MetadataShape
  | DefaultShape
  | ExecShape
  | ModuleShape
  | GdchServiceAccountShape
  | ExternalAccountAuthorizedUserShape;

/** An entry of `allow` or `deny`. */
export interface PolicyEntryShape {
  readonly callers?: readonly string[] | undefined;
  readonly operations?: readonly Operation[] | undefined;
  readonly match?: string | undefined;
}

export interface RuleKmsShape {
  readonly endpoint?: string | undefined;
  readonly universeDomain?: string | undefined;
  readonly quotaProject?: string | undefined;
  readonly transport?: KmsTransportName | undefined;
  /** Milliseconds. */
  readonly deadline?: number | undefined;
  /** Milliseconds. */
  readonly attemptTimeout?: number | undefined;
  readonly proxy?: string | undefined;
  readonly caFile?: string | undefined;
  readonly maxCalls?: number | undefined;
}

export interface RuleShape {
  readonly name: string;
  readonly match: string;
  readonly tokenSource: string | readonly string[];
  readonly allow?: readonly PolicyEntryShape[] | undefined;
  readonly deny: readonly PolicyEntryShape[];
  readonly limits: RuleLimitsShape;
  readonly approve?: ApproveShape | undefined;
  readonly kms: RuleKmsShape;
  readonly cache?: RuleCacheShape | undefined;
}

export interface RuleCacheShape {
  /** Milliseconds. */
  readonly ttl: number;
  readonly maxEntries: number;
  readonly acceptLateRevocation?: boolean | undefined;
}

export interface EndpointsShape {
  readonly kms?: string | undefined;
  readonly oauth2?: string | undefined;
  readonly sts?: string | undefined;
  readonly iamCredentials?: string | undefined;
  readonly metadata?: string | undefined;
}

export interface GoogleShape {
  readonly universeDomain: string;
  readonly endpoints: EndpointsShape;
  readonly caFile?: string | undefined;
}

export interface LimitsShape {
  readonly maxConnections: number;
  readonly maxStreamsPerConnection: number;
  readonly maxCalls: number;
  /** Bytes. */
  readonly maxMessageBytes: number;
  /** Milliseconds. */
  readonly handshake: number;
  /** Milliseconds. */
  readonly connectionIdle: number;
  /** Milliseconds. */
  readonly connectionAge: number;
  /** Milliseconds. */
  readonly drain: number;
  readonly perCaller?: CallerLimitShape | undefined;
  /** By the names of callers. */
  readonly callers: Readonly<Record<string, CallerLimitShape>>;
}

/** How much one caller may ask for; at least one of these. */
export interface CallerLimitShape {
  readonly callsPerSecond?: number | undefined;
  readonly burst?: number | undefined;
  readonly callsAtOnce?: number | undefined;
}

/** Exactly one of command and prompt. */
export interface ApproveShape {
  readonly command?: readonly string[] | undefined;
  readonly prompt?: "terminal" | undefined;
  readonly env?: readonly string[] | undefined;
  readonly cwd?: string | undefined;
  readonly operations?: readonly Operation[] | undefined;
  /** Milliseconds. */
  readonly timeout?: number | undefined;
  /** Milliseconds. */
  readonly remember?: number | undefined;
}

export interface RuleLimitsShape {
  readonly perCaller?: CallerLimitShape | undefined;
}

/**
 * What could be read of a config. A part that the schema refused is undefined, its name or position is kept: so the
 * other parts are checked as well, and all errors come at once.
 */
export interface PartialShape {
  readonly listeners: readonly (ListenerShape | undefined)[];
  readonly tokenSources: ReadonlyMap<string, TokenSourceShape | undefined>;
  readonly rules: readonly (RuleShape | undefined)[];
  readonly deny: readonly (PolicyEntryShape | undefined)[];
  readonly google: GoogleShape | undefined;
  readonly limits: LimitsShape | undefined;
  readonly audit: AuditShape | undefined;
  /** By name. */
  readonly callerProofs: ReadonlyMap<string, CallerShape | undefined>;
  /** Names of callers, from `callers` and from listeners, also from those that were refused. */
  readonly callers: ReadonlySet<string>;
}
