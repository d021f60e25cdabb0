import { Secret } from "../core/secret.ts";
import { type CredentialDocument, type CredentialFields, requireUniverse } from "./credential-document.ts";
import type { SourceContext } from "./source-context.ts";
import { type ImpersonationTarget, parseTarget } from "./sources/impersonated-service-account.ts";
import { parseAwsOrigin } from "./subject-tokens/aws.ts";
import { parseCertificateOrigin } from "./subject-tokens/certificate.ts";
import { parseExecutableOrigin } from "./subject-tokens/executable.ts";
import { parseFileOrigin } from "./subject-tokens/file.ts";
import { AWS_TYPE, type GetSubjectToken, JWT_TYPES, MTLS_TYPE, SAML_TYPE } from "./subject-tokens/subject-token.ts";
import { parseUrlOrigin } from "./subject-tokens/url.ts";

/** What the config says besides where the credential lies. */
export interface ExternalAccountOptions {
  /** Email addresses, first hop first; in between the federated identity and the account that it impersonates. */
  readonly delegates: readonly string[];
  /** Of the impersonated account's tokens; undefined: what the file says, or an hour. */
  readonly lifetimeMs: number | undefined;
  readonly allowExecutable: boolean;
  /** Hosts that subject tokens may be got from, besides those of the universe. */
  readonly subjectTokenHosts: readonly string[];
  /** In place of what the file's `credential_source` says, which is not looked at then. */
  readonly getSubjectToken?: GetSubjectToken;
}

/** A credential file of the type `external_account`, checked in every field that is used. */
export interface ExternalAccount {
  readonly audience: string;
  /** `principal://iam.googleapis.com/…/subject/`; undefined for audiences that do not name a pool. */
  readonly principalPrefix: string | undefined;
  readonly subjectTokenType: string;
  readonly tokenUrl: URL;
  readonly client: { readonly id: string; readonly secret: Secret } | undefined;
  /** Whom quota counts for, with a workforce pool. */
  readonly userProject: string | undefined;
  readonly impersonation: ImpersonationTarget | undefined;
  readonly getSubjectToken: GetSubjectToken;
}

const HOST = String.raw`\/\/iam\.(?<domain>[a-z0-9.-]+)\/`;
const ID = "[a-z0-9-]{1,63}";
const PROVIDER = `providers\\/${ID}`;
const WORKLOAD = new RegExp(
  `^${HOST}(?<pool>projects\\/[a-z0-9.:-]{1,100}\\/locations\\/${ID}\\/workloadIdentityPools\\/${ID})\\/${PROVIDER}$`,
);
const WORKFORCE = new RegExp(`^${HOST}(?<pool>locations\\/${ID}\\/workforcePools\\/${ID})\\/${PROVIDER}$`);
/** A fleet of Kubernetes clusters, whose pool Google runs. */
const FLEET = /^identitynamespace:[a-z0-9.-]{1,100}\.svc\.id\.goog:https:\/\/[A-Za-z0-9._~/:-]{1,300}$/;

const MIN_LIFETIME_S = 600;
const MAX_LIFETIME_S = 43_200;

/** @throws KeyServiceError `credential_rejected` */
export function parseExternalAccount(
  document: CredentialDocument,
  options: ExternalAccountOptions,
  context: SourceContext,
): ExternalAccount {
  requireUniverse(document, context.google.universeDomain);
  const subjectTokenType = document.text("subject_token_type");
  const audience = document.text("audience");
  const pool = parseAudience(document, audience, context);
  // It is never asked; but a file that names a wrong host there was not written by Google's tools.
  parseAllowedUrl(document, "token_info_url", context);
  const tokenUrl = parseAllowedUrl(document, "token_url", context);
  if (tokenUrl === undefined) throw document.fault("token_url", "is missing");
  return {
    audience,
    principalPrefix: pool.name === undefined ? undefined : `principal://iam.googleapis.com/${pool.name}/subject/`,
    subjectTokenType,
    tokenUrl,
    client: parseClient(document),
    userProject: parseUserProject(document, pool.isWorkforce),
    impersonation: parseImpersonation(document, options, context),
    getSubjectToken: parseOrigin(document, subjectTokenType, options),
  };
}

function parseAllowedUrl(document: CredentialDocument, field: string, { policy }: SourceContext): URL | undefined {
  const url = document.optionalUrl(field);
  return url === undefined ? undefined : policy(url, `"${field}" in ${document.origin}`);
}

function parseAudience(
  document: CredentialDocument,
  audience: string,
  { google }: SourceContext,
): { name: string | undefined; isWorkforce: boolean } {
  const workforce = WORKFORCE.exec(audience);
  const match = workforce ?? WORKLOAD.exec(audience);
  const domain = match?.groups?.["domain"];
  if (domain === "googleapis.com" || (match !== null && domain === google.universeDomain)) {
    return { name: match?.groups?.["pool"], isWorkforce: workforce !== null };
  }
  if (FLEET.test(audience)) return { name: undefined, isWorkforce: false };
  throw document.fault("audience", "does not name the provider of a workload identity pool or workforce pool");
}

function parseClient(document: CredentialDocument): ExternalAccount["client"] {
  const id = document.optionalText("client_id");
  return id === undefined ? undefined : { id, secret: new Secret(document.text("client_secret")) };
}

function parseUserProject(document: CredentialDocument, isWorkforce: boolean): string | undefined {
  const field = "workforce_pool_user_project";
  const project = document.optionalText(field);
  if (project !== undefined && !isWorkforce) throw document.fault(field, "is for audiences of workforce pools only");
  return project;
}

function parseImpersonation(
  document: CredentialDocument,
  { delegates, lifetimeMs }: ExternalAccountOptions,
  context: SourceContext,
): ImpersonationTarget | undefined {
  const field = "service_account_impersonation_url";
  if (document.optionalText(field) === undefined) {
    if (delegates.length === 0 && lifetimeMs === undefined) return undefined;
    throw document.fault(field, "is missing, and delegates or lifetime in the config are for impersonation");
  }
  const target = parseTarget(document, context);
  const stated = parseLifetime(document.optionalFields("service_account_impersonation"));
  return {
    target: target.target,
    delegates: delegates.length > 0 ? delegates : target.delegates,
    lifetimeMs: lifetimeMs ?? stated ?? target.lifetimeMs,
  };
}

function parseLifetime(fields: CredentialFields | undefined): number | undefined {
  const seconds = fields?.optionalCount("token_lifetime_seconds");
  if (fields === undefined || seconds === undefined) return undefined;
  if (seconds >= MIN_LIFETIME_S && seconds <= MAX_LIFETIME_S) return seconds * 1000;
  throw fields.fault("token_lifetime_seconds", `is not between ${MIN_LIFETIME_S} and ${MAX_LIFETIME_S}`);
}

type OriginField = "environment_id" | "file" | "url" | "executable" | "certificate";

/** What each kind of origin may exchange: taken from the file's own words, a wrong pair only fails at Google. */
const TYPES: Readonly<Record<OriginField, readonly string[]>> = {
  environment_id: [AWS_TYPE],
  file: [...JWT_TYPES, SAML_TYPE],
  url: [...JWT_TYPES, SAML_TYPE],
  executable: [...JWT_TYPES, SAML_TYPE],
  certificate: [MTLS_TYPE],
};

function parseOrigin(
  document: CredentialDocument,
  tokenType: string,
  options: ExternalAccountOptions,
): GetSubjectToken {
  if (options.getSubjectToken !== undefined) {
    if (!JWT_TYPES.includes(tokenType)) throw document.fault("subject_token_type", "is not that of a JWT");
    return options.getSubjectToken;
  }
  const origin = document.optionalFields("credential_source");
  if (origin === undefined) throw document.fault("credential_source", "is missing");
  const kind = requireKind(document, origin);
  if (!TYPES[kind].includes(tokenType)) throw document.fault("subject_token_type", "does not fit credential_source");
  switch (kind) {
    case "environment_id":
      return parseAwsOrigin(origin);
    case "file":
      return parseFileOrigin(origin);
    case "url":
      return parseUrlOrigin(origin, options.subjectTokenHosts);
    case "executable":
      return parseExecutableOrigin(origin, options.allowExecutable);
    case "certificate":
      return parseCertificateOrigin(origin);
  }
}

function requireKind(document: CredentialDocument, origin: CredentialFields): OriginField {
  const kind = findKind(origin);
  if (kind !== undefined) return kind;
  throw document.fault("credential_source", "is not of one known kind");
}

/** AWS' origins have a url as well. Two kinds at once would leave it to chance which is used. */
function findKind(origin: CredentialFields): OriginField | undefined {
  if (origin.optionalText("environment_id") !== undefined) return "environment_id";
  const kinds = (["file", "url"] as const).filter((kind) => origin.optionalText(kind) !== undefined);
  const nested = (["executable", "certificate"] as const).filter((kind) => origin.optionalFields(kind) !== undefined);
  const [first, ...others] = [...kinds, ...nested];
  return others.length > 0 ? undefined : first;
}
