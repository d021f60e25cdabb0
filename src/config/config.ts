import type { AuditConfig } from "./audit.ts";
import type { CallerConfig } from "./callers.ts";
import type { ApproveConfig, CallerLimitsConfig, PolicyEntryConfig, RuleLimitsConfig } from "./policy.ts";
import type { ProxyConfig } from "./proxy.ts";
import type { TlsConfig } from "./tls.ts";

export type { AuditConfig } from "./audit.ts";
export type { CallerConfig } from "./callers.ts";
export type {
  ApproveConfig,
  CallerLimitConfig,
  CallerLimitsConfig,
  CommandApproveConfig,
  Operation,
  PolicyEntryConfig,
} from "./policy.ts";
export type { TlsConfig } from "./tls.ts";

/** The config as the program uses it: validated, paths absolute, durations in milliseconds, deeply frozen. */
export interface Config {
  /** Where it was read from; undefined where defaults stand in for a file. */
  readonly path: string | undefined;
  /** SHA-256 of the document's bytes, hex. */
  readonly hash: string;
  readonly listeners: readonly ListenerConfig[];
  /** Who can be told apart from other callers, and by what proof; by name. */
  readonly callers: ReadonlyMap<string, CallerConfig>;
  /** By name. */
  readonly tokenSources: ReadonlyMap<string, TokenSourceConfig>;
  /** In the order in which they are tried. */
  readonly rules: readonly RuleConfig[];
  /** Goes before every rule. */
  readonly deny: readonly PolicyEntryConfig[];
  readonly google: GoogleConfig;
  readonly limits: LimitsConfig;
  readonly callerLimits: CallerLimitsConfig;
  /** Undefined where nothing is recorded. */
  readonly audit: AuditConfig | undefined;
  /** Absolute; for what must survive a restart. */
  readonly stateDirectory: string | undefined;
}

export type ListenerConfig = UnixListenerConfig | TcpListenerConfig;

export interface UnixListenerConfig {
  readonly kind: "unix";
  /** Absolute. */
  readonly path: string;
  /** File mode bits of the socket, such as 0o600. */
  readonly mode: number;
  /** Group name or number that gets the socket. */
  readonly group: string | undefined;
  /** The name of whoever can open this socket. */
  readonly caller: string | undefined;
}

export interface TcpListenerConfig {
  readonly kind: "tcp";
  /** IP address or `localhost`, without brackets. */
  readonly host: string;
  /** 0 lets the system choose. */
  readonly port: number;
  /** Accepts clear text from other machines. */
  readonly insecure: boolean;
  /** Without it: clear text. */
  readonly tls?: TlsConfig;
  readonly caller: string | undefined;
}

/** Where a credential lies; never the credential itself. */
export type CredentialLocation =
  | { readonly kind: "file"; readonly path: string }
  | { readonly kind: "env"; readonly variable: string };

export type TokenSourceConfig =
  | AccessTokenSourceConfig
  | ServiceAccountSourceConfig
  | AuthorizedUserSourceConfig
  | ExternalAccountSourceConfig
  | ImpersonatedSourceConfig
  | MetadataSourceConfig
  | DefaultSourceConfig
  | ExecSourceConfig
  | ModuleSourceConfig
  | GdchServiceAccountSourceConfig
  | ExternalAccountAuthorizedUserSourceConfig;

export interface AccessTokenSourceConfig {
  readonly type: "access_token";
  readonly token: CredentialLocation;
}

export interface ServiceAccountSourceConfig {
  readonly type: "service_account";
  readonly credential: CredentialLocation;
  readonly grant: "self_signed" | "oauth";
}

export interface AuthorizedUserSourceConfig {
  readonly type: "authorized_user";
  readonly credential: CredentialLocation;
}

/** Workload or workforce identity federation. */
export interface ExternalAccountSourceConfig {
  readonly type: "external_account";
  readonly credential: CredentialLocation;
  /** Email addresses between the federated identity and the account that the file impersonates, first hop first. */
  readonly delegates: readonly string[];
  /** Of the impersonated account's tokens; undefined: what the file says, or an hour. */
  readonly lifetimeMs: number | undefined;
  /** Runs the command that the file names. */
  readonly allowExecutable: boolean;
  /** Hosts that the file may get subject tokens from; a leading `*.` stands for any names before it. */
  readonly subjectTokenHosts: readonly string[];
  /** Whose token is exchanged: that of the credential's `credential_source`, or the one that a call brings along. */
  readonly subjectTokenFrom: "credential" | "caller";
}

/** Over another named source, or from a credential file that brings its own source along (as gcloud writes it). */
export type ImpersonatedSourceConfig =
  | {
      readonly type: "impersonated_service_account";
      readonly source: string;
      /** The service account's email address. */
      readonly target: string;
      /** Email addresses, first hop first. */
      readonly delegates: readonly string[];
      readonly lifetimeMs: number;
    }
  | { readonly type: "impersonated_service_account"; readonly credential: CredentialLocation };

export interface MetadataSourceConfig {
  readonly type: "metadata";
  /** `default` or a service account's email address. */
  readonly account: string;
  readonly timeoutMs: number;
}

/** The order in which sops itself looks for credentials. */
export interface DefaultSourceConfig {
  readonly type: "default";
}

/** A command that prints a token as JSON. */
export interface ExecSourceConfig {
  readonly type: "exec";
  /** The program (absolute, or a name to look for on PATH) and its arguments. No shell reads it. */
  readonly command: readonly string[];
  /** Names of the environment variables that it gets besides PATH and HOME. */
  readonly env: readonly string[];
  /** Absolute. */
  readonly cwd: string;
  readonly timeoutMs: number;
}

/** A user's own ES module. */
export interface ModuleSourceConfig {
  readonly type: "module";
  /** Absolute. */
  readonly path: string;
  /** Handed to the module as they stand in the config. */
  readonly options: Readonly<Record<string, unknown>>;
}

/** An identity of Google Distributed Cloud (air-gapped). */
export interface GdchServiceAccountSourceConfig {
  readonly type: "gdch_service_account";
  readonly credential: CredentialLocation;
  /** Whom the tokens are for. */
  readonly audience: string;
}

/** A person of a workforce pool, by a refresh token that may change with each use. */
export interface ExternalAccountAuthorizedUserSourceConfig {
  readonly type: "external_account_authorized_user";
  readonly credential: CredentialLocation;
}

export interface RuleConfig {
  readonly name: string;
  /** As written; `routing/pattern.ts` compiles it. */
  readonly match: string;
  /** Names of token sources; more than one is a chain. */
  readonly tokenSource: readonly string[];
  /** Undefined: every caller of a local listener, both operations. */
  readonly allow: readonly PolicyEntryConfig[] | undefined;
  /** Goes before `allow`. */
  readonly deny: readonly PolicyEntryConfig[];
  readonly limits: RuleLimitsConfig;
  /** Undefined: nobody is asked. */
  readonly approve: ApproveConfig | undefined;
  readonly kms: RuleKmsConfig;
  /** Undefined: no data key is kept. */
  readonly cache: DataKeyCacheConfig | undefined;
}

/** Decrypted data keys that are kept in memory. */
export interface DataKeyCacheConfig {
  readonly ttlMs: number;
  readonly maxEntries: number;
}

/** Cloud KMS' APIs. */
export type KmsTransportName = "rest" | "grpc";

export interface RuleKmsConfig {
  /** Base URL without a trailing slash. */
  readonly endpoint: string;
  /** Sent as `x-goog-user-project`. */
  readonly quotaProject: string | undefined;
  readonly transport: KmsTransportName;
  /** Total time for a call under this rule, retries included. */
  readonly deadlineMs: number;
  readonly attemptTimeoutMs: number;
  /** Undefined: what the environment says. */
  readonly proxy: ProxyConfig | undefined;
  /** PEM file with CAs that are trusted besides Node.js' own, in place of `google.caFile`. */
  readonly caFile: string | undefined;
  /** Calls of this rule in flight. */
  readonly maxCalls: number;
}

export interface GoogleConfig {
  /** `googleapis.com` unless set. */
  readonly universeDomain: string;
  readonly endpoints: GoogleEndpoints;
  /** PEM file with CAs that are trusted besides Node.js' own. */
  readonly caFile: string | undefined;
}

/** Base URLs without a trailing slash. */
export interface GoogleEndpoints {
  readonly kms: string;
  readonly oauth2: string;
  readonly sts: string;
  readonly iamCredentials: string;
  /** Undefined: the usual metadata host, or what `GCE_METADATA_HOST` says. */
  readonly metadata: string | undefined;
}

export interface LimitsConfig {
  /** For each listener. */
  readonly maxConnections: number;
  readonly maxStreamsPerConnection: number;
  /** Calls in flight, all listeners together. */
  readonly maxCalls: number;
  readonly maxMessageBytes: number;
  /** How long a TLS handshake may take. */
  readonly handshakeMs: number;
  readonly connectionIdleMs: number;
  readonly connectionAgeMs: number;
  /** How long calls in flight may take to end after SIGTERM. */
  readonly drainMs: number;
}
