import { resolveAccounts } from "./access/accounts.ts";
import { createAdmit } from "./access/admission.ts";
import { createCallerLimits } from "./access/caller-limits.ts";
import { type CallerUsage, createCallerUsage } from "./access/caller-usage.ts";
import { createDecide } from "./access/decision.ts";
import { createIdentify, type Identify } from "./access/identify.ts";
import { type Authenticate, createAuthenticate } from "./access/jwt/authenticate.ts";
import { createIssuerKeys, type IssuerKeys } from "./access/jwt/issuer-keys.ts";
import { createApprover } from "./approval/approver.ts";
import type { Terminal } from "./approval/terminal.ts";
import type { KeyBackend } from "./backends/backend.ts";
import { createGcpKmsBackend, type Route } from "./backends/gcp-kms.ts";
import type { GcpKmsKey } from "./backends/sops-key.ts";
import type { Config, RuleConfig } from "./config/config.ts";
import type { Environment } from "./config/environment.ts";
import type { Clock } from "./core/clock.ts";
import {
  createTokenSources,
  type EmbeddedTokenSource,
  type TokenSources,
  type TokenSourcesOptions,
} from "./credentials/create.ts";
import { createTokenRequests } from "./credentials/token-request.ts";
import { createKmsClients } from "./kms/create.ts";
import { cacheDataKeys } from "./kms/data-key-cache.ts";
import { joinIdenticalCalls } from "./kms/joining.ts";
import type { KmsClient } from "./kms/kms-client.ts";
import { createProxyChoice } from "./network/choose-proxy.ts";

/** What a config is made into. It holds connections and tokens until it is closed. */
export interface Assembly {
  readonly identify: Identify;
  readonly authenticate: Authenticate;
  readonly gcpKms: KeyBackend<GcpKmsKey>;
  /** Whose tokens the rules use, by name. */
  readonly tokenSources: TokenSources;
  /** Ends the connections; calls in flight on them fail. */
  close(): Promise<void>;
}

export interface Surroundings {
  readonly environment: Environment;
  readonly clock: Clock;
  /** Told of what an operator should mend though nothing has failed yet. */
  readonly warn: (message: string) => void;
  /** Sent to Google, so that its audit logs can be matched with ours. */
  readonly userAgent: string;
  /** Where rules may have somebody asked; undefined: they cannot. */
  readonly terminal?: Terminal;
  /** What callers have used of their limits; of the process, so that the next config goes on counting. */
  readonly callerUsage?: CallerUsage;
  /** Where another assembly is to take over what is known of issuers; else it is this assembly's own. */
  readonly issuerKeys?: IssuerKeys;
  /** Token sources of an embedding program; each takes the place of the configured one of its name. */
  readonly tokenSources?: ReadonlyMap<string, EmbeddedTokenSource>;
}

/**
 * Makes the objects that a config describes. No request is sent before the first call needs it.
 *
 * @throws ConfigError where a CA file or a proxy cannot be used, or a caller is an account that there is not
 */
export function assemble(config: Config, surroundings: Surroundings, tokenOptions: TokenSourcesOptions = {}): Assembly {
  const { clock, environment, warn } = surroundings;
  const tokenSources = createTokenSources(config, environment, clock, warn, {
    ...tokenOptions,
    ...(surroundings.tokenSources === undefined ? {} : { custom: surroundings.tokenSources }),
  });
  const chooseProxy = createProxyChoice(environment);
  const createClient = createKmsClients(config, surroundings);
  const routes = config.rules.map((rule): Route => {
    const client = joinIdenticalCalls(createClient(rule));
    return { ...rule, tokens: tokenSources.holderFor(rule.tokenSource), client: withCache(client, rule, clock) };
  });
  const limits = createCallerLimits(config.callerLimits, surroundings.callerUsage ?? createCallerUsage(clock));
  const approve = createApprover({ environment, clock, terminal: surroundings.terminal });
  const admit = createAdmit(createDecide({ rules: routes, deny: config.deny }), limits, approve);
  return {
    identify: createIdentify(resolveAccounts(config.callers)),
    authenticate: createAuthenticate(config.callers, {
      clock,
      issuerKeys: surroundings.issuerKeys ?? createIssuerKeys(clock),
      createGet: (caFile) => createTokenRequests(caFile ?? config.google.caFile, { chooseProxy }),
      warn,
    }),
    tokenSources,
    gcpKms: createGcpKmsBackend(admit, clock),
    async close() {
      tokenSources.close();
      await Promise.all(routes.map(({ client }) => client.close()));
    },
  };
}

function withCache(client: KmsClient, { cache }: RuleConfig, clock: Clock): KmsClient {
  return cache === undefined ? client : cacheDataKeys(client, { ...cache, clock });
}
