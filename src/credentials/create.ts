import type { CredentialLocation, GoogleConfig, TokenSourceConfig } from "../config/config.ts";
import type { Environment } from "../config/environment.ts";
import type { CallerToken } from "../core/caller-token.ts";
import type { Clock } from "../core/clock.ts";
import { KeyServiceError } from "../core/errors.ts";
import { createProxyChoice } from "../network/choose-proxy.ts";
import { createChain } from "./chain.ts";
import { createCredentialReader } from "./credential-file.ts";
import { mintAnyCredential } from "./credential-types.ts";
import { createEndpointPolicy } from "./endpoint-policy.ts";
import { createPerCaller, createTokenless, type PerCallerHolder, type PerCallerOptions } from "./per-caller.ts";
import { createRefreshTokens } from "./refresh-tokens.ts";
import { createRefreshing, DEFAULT_REFRESH_TIMEOUT_MS, type RefreshReport } from "./refreshing.ts";
import { createRetrying } from "./retrying.ts";
import type { MintToken, SourceContext } from "./source-context.ts";
import { createAccessTokenSource } from "./sources/access-token.ts";
import { mintAuthorizedUser } from "./sources/authorized-user.ts";
import { createCredentialSource } from "./sources/credential.ts";
import {
  type CustomTokenSource,
  createCheckedSource,
  createTokenSourceContext,
  type TokenSourceContext,
} from "./sources/custom.ts";
import { createDefaultSource } from "./sources/default.ts";
import { createExecSource } from "./sources/exec.ts";
import { createExternalAccountSource } from "./sources/external-account.ts";
import { mintExternalAccountAuthorizedUser } from "./sources/external-account-authorized-user.ts";
import { createGdchMint } from "./sources/gdch-service-account.ts";
import { createImpersonatedFileMint, createImpersonatedOver } from "./sources/impersonated-service-account.ts";
import { createMetadataSource } from "./sources/metadata.ts";
import { createModuleSource } from "./sources/module.ts";
import { mintByOauthGrant, mintSelfSigned } from "./sources/service-account.ts";
import { CLOUD_KMS_SCOPE, IAM_SCOPE, type TokenHolder, type TokenScope, type TokenSource } from "./token.ts";
import { createTokenRequests } from "./token-request.ts";

export interface TokenSourcesConfig {
  readonly tokenSources: ReadonlyMap<string, TokenSourceConfig>;
  readonly google: GoogleConfig;
  readonly stateDirectory?: string | undefined;
}

export interface TokenSourcesOptions {
  /** From 0 up to 1, as `Math.random`. */
  readonly random?: () => number;
  readonly onRefresh?: (report: RefreshReport) => void;
  /** Made by an embedding program; each takes the place of the configured source of its name. */
  readonly custom?: ReadonlyMap<string, EmbeddedTokenSource>;
  /** A refresh that takes longer has failed; the refresher's own bound unless given. */
  readonly timeoutMs?: number;
}

/** Called once for each scope that tokens are asked for with. */
export type EmbeddedTokenSource = (context: TokenSourceContext) => CustomTokenSource;

/** One refresher a named source and scope, shared by every rule, or every impersonation, that names it. */
export interface TokenSources {
  /** For Cloud KMS, by name. */
  readonly holders: ReadonlyMap<string, TokenHolder>;
  /**
   * The holder for a rule's list: a single name's own, or a chain.
   *
   * @throws KeyServiceError `internal` for a name that is not configured (the config's loader refuses those)
   */
  holderFor(names: readonly string[]): TokenHolder;
  /** Forgets what callers have brought along. */
  close(): void;
}

/**
 * Builds every configured token source. No file is read and nothing is asked for until a token is.
 *
 * @param warn for what an operator should know and no call fails of
 * @throws ConfigError where a variable of the environment names a proxy that cannot be used
 * @throws KeyServiceError `internal` where impersonations name an unknown source or go round in a circle
 */
export function createTokenSources(
  config: TokenSourcesConfig,
  environment: Environment,
  clock: Clock,
  warn: (message: string) => void,
  options: TokenSourcesOptions = {},
): TokenSources {
  const { google, tokenSources } = config;
  const policy = createEndpointPolicy(google);
  const send = createTokenRequests(google.caFile, { chooseProxy: createProxyChoice(environment) });
  const refreshTokens = createRefreshTokens({ stateDirectory: config.stateDirectory, warn });
  const shared = { google, environment, clock, warn, policy, send, refreshTokens };
  /** By scope, then by name: a source that rules use and that impersonates as well holds a token for each. */
  const holders = { [CLOUD_KMS_SCOPE]: new Map<string, TokenHolder>(), [IAM_SCOPE]: new Map<string, TokenHolder>() };

  /** @param above the sources that wait for this one to be built */
  const build = (name: string, scope: TokenScope, above: readonly string[]): TokenHolder => {
    const built = holders[scope].get(name);
    if (built !== undefined) return built;
    const source = tokenSources.get(name);
    if (source === undefined) throw misconfigured(`token source ${name} is not configured`);
    if (above.includes(name))
      throw misconfigured(`token sources impersonate in a circle: ${[...above, name].join(" → ")}`);
    const custom = options.custom?.get(name);
    const bare =
      custom === undefined
        ? createSource(name, source, { ...shared, scope }, (base) => build(base, IAM_SCOPE, [...above, name]))
        : createCheckedSource(
            name,
            "the embedded source",
            custom(createTokenSourceContext(name, { scope, clock, warn })),
          );
    const timing = { ...refreshTimeout(source), ...options, clock };
    const hold = (each: TokenSource) => createRefreshing(createRetrying(each, timing), timing);
    const holder = "fetchToken" in bare ? hold(bare) : perCaller(createTokenless(name), (token) => hold(bare(token)));
    holders[scope].set(name, holder);
    return holder;
  };
  const perCallers: PerCallerHolder[] = [];
  const perCaller = (withoutToken: TokenHolder, create: PerCallerOptions["create"]): TokenHolder => {
    const holder = createPerCaller({ clock, withoutToken, create });
    perCallers.push(holder);
    return holder;
  };
  const chain = (members: readonly TokenHolder[]): TokenHolder => {
    const name = members.map((member) => member.name).join(", ");
    const chainFor = (token: CallerToken | undefined) =>
      createChain(
        name,
        members.map((member) => member.forCaller?.(token) ?? member),
      );
    const isForAll = members.every(({ forCaller }) => forCaller === undefined);
    return isForAll ? createChain(name, members) : perCaller(chainFor(undefined), chainFor);
  };
  for (const name of tokenSources.keys()) build(name, CLOUD_KMS_SCOPE, []);

  return {
    holders: holders[CLOUD_KMS_SCOPE],
    holderFor(names) {
      const members = names.map((name) => build(name, CLOUD_KMS_SCOPE, []));
      const [only] = members;
      return only !== undefined && members.length === 1 ? only : chain(members);
    },
    close() {
      for (const holder of perCallers) holder.clear();
    },
  };
}

function createSource(
  name: string,
  config: TokenSourceConfig,
  context: SourceContext,
  holderOf: (name: string) => TokenHolder,
): TokenSource | ((token: CallerToken) => TokenSource) {
  const reader = (location: CredentialLocation) => createCredentialReader(location, context.environment, context.warn);
  const fromCredential = (location: CredentialLocation, type: string, mint: MintToken) =>
    createCredentialSource(name, reader(location), type, mint, context);
  switch (config.type) {
    case "access_token":
      return createAccessTokenSource(name, reader(config.token), context.clock);
    case "service_account": {
      const mint = config.grant === "oauth" ? mintByOauthGrant : mintSelfSigned;
      return fromCredential(config.credential, config.type, mint);
    }
    case "authorized_user":
      return fromCredential(config.credential, config.type, mintAuthorizedUser);
    case "external_account":
      return createExternalAccountSource(name, reader(config.credential), config, context);
    case "impersonated_service_account":
      return "source" in config
        ? createImpersonatedOver(name, holderOf(config.source), config, context)
        : fromCredential(config.credential, config.type, createImpersonatedFileMint(mintAnyCredential));
    case "metadata":
      return createMetadataSource(name, config, context);
    case "default":
      return createDefaultSource(name, mintAnyCredential, context);
    case "exec":
      return createExecSource(name, config, context);
    case "module":
      return createModuleSource(name, config, context);
    case "gdch_service_account":
      return fromCredential(config.credential, config.type, createGdchMint(config.audience));
    case "external_account_authorized_user":
      return fromCredential(config.credential, config.type, mintExternalAccountAuthorizedUser);
  }
}

/** A command that may run longer than a refresh usually takes is given its time. */
function refreshTimeout(source: TokenSourceConfig): { readonly timeoutMs?: number } {
  if (source.type !== "exec" || source.timeoutMs < DEFAULT_REFRESH_TIMEOUT_MS) return {};
  return { timeoutMs: source.timeoutMs + 1000 };
}

function misconfigured(problem: string): KeyServiceError {
  return new KeyServiceError("internal", { problem, remedy: "correct tokenSources in the config" });
}
