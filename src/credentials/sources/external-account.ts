import type { ExternalAccountSourceConfig } from "../../config/config.ts";
import type { CallerToken } from "../../core/caller-token.ts";
import { KeyServiceError } from "../../core/errors.ts";
import type { ReadCredential } from "../credential-file.ts";
import { type ExternalAccount, type ExternalAccountOptions, parseExternalAccount } from "../external-account.ts";
import type { MintToken, SourceContext } from "../source-context.ts";
import { createCallerOrigin } from "../subject-tokens/caller.ts";
import type { SubjectToken } from "../subject-tokens/subject-token.ts";
import { IAM_SCOPE, type TokenSource } from "../token.ts";
import type { Refusal, RefusalContext } from "../token-errors.ts";
import { exchangeSubjectToken } from "../token-exchange.ts";
import { createCredentialSource } from "./credential.ts";
import { impersonate } from "./impersonated-service-account.ts";

/** What a credential file may do that nobody vouched for in the config. */
export const UNTRUSTED: ExternalAccountOptions = {
  delegates: [],
  lifetimeMs: undefined,
  allowExecutable: false,
  subjectTokenHosts: [],
};

/** A source over a credential file; or one for each caller, where the callers bring what is exchanged. */
export function createExternalAccountSource(
  name: string,
  read: ReadCredential,
  config: ExternalAccountSourceConfig,
  context: SourceContext,
): TokenSource | ((token: CallerToken) => TokenSource) {
  const over = (options: ExternalAccountOptions) =>
    createCredentialSource(name, read, config.type, createExternalAccountMint(options), context);
  if (config.subjectTokenFrom === "credential") return over(config);
  return (token) => over({ ...config, getSubjectToken: createCallerOrigin(token) });
}

/**
 * Workload and workforce identity federation: a token that somebody else issued is exchanged for one of Google's; then,
 * where the file says so, for one of a service account.
 * https://google.aip.dev/auth/4117
 */
export function createExternalAccountMint(options: ExternalAccountOptions): MintToken {
  return async (source, document, context, signal) => {
    try {
      const account = parseExternalAccount(document, options, context);
      return await mint(source, document.origin, account, context, signal);
    } catch (error) {
      throw error instanceof KeyServiceError ? error.within({ source }) : error;
    }
  };
}

async function mint(
  source: string,
  origin: string,
  account: ExternalAccount,
  context: SourceContext,
  signal: AbortSignal,
) {
  const { impersonation, audience, subjectTokenType: tokenType } = account;
  const purpose = { source, audience, tokenType, impersonated: impersonation?.target };
  const subjectToken = await account.getSubjectToken(purpose, context, signal);
  const refusals = refusalContext(source, account, subjectToken);
  // Tokens for Cloud KMS alone cannot impersonate.
  const exchange: SourceContext = impersonation === undefined ? context : { ...context, scope: IAM_SCOPE };
  const token = await exchangeSubjectToken(account, subjectToken, refusals, exchange, signal);
  if (impersonation === undefined) return token;
  const base = {
    token,
    name: account.principalPrefix?.replace(/subject\/$/, "…") ?? `the identity in ${origin}`,
    role: "roles/iam.workloadIdentityUser",
    onUnauthorized() {},
  };
  return impersonate(source, base, impersonation, context, signal);
}

function refusalContext(source: string, account: ExternalAccount, { subject, step }: SubjectToken): RefusalContext {
  const { principalPrefix, audience } = account;
  const isKnown = principalPrefix !== undefined && subject !== undefined;
  return {
    source,
    ...(isKnown && { principal: `${principalPrefix}${subject}` }),
    remedyFor: (refusal) => remedyFor(refusal, audience, step),
  };
}

function remedyFor({ code, meaning, reason }: Refusal, audience: string, step: string): string | undefined {
  if (reason === "SERVICE_DISABLED") return "enable sts.googleapis.com in the project of the pool";
  if (meaning !== undefined) return undefined;
  switch (code) {
    case "invalid_target":
      return `check that pool and provider exist and are enabled: ${audience}`;
    case "invalid_grant":
      return `check that the ${step} is of the issuer, audience and keys that the provider expects`;
    case "invalid_client":
      return "check client_id and client_secret in the credential file";
    case "unauthorized_client":
      return "check the attribute condition of the provider, and that the subject may use the pool";
    case "PERMISSION_DENIED":
      return "grant serviceusage.services.use on workforce_pool_user_project";
    default:
      return undefined;
  }
}
