import {
  EMULATED_PROJECT,
  EMULATED_PROJECT_NUMBER,
  type ServiceAccountKey,
  type ServiceIdentityKey,
  type User,
  type WorkforceLogin,
} from "./identities.ts";

// The shapes are those of Google's own files: https://google.aip.dev/auth/4110

export interface ServiceAccountKeyFile {
  readonly type: "service_account";
  readonly project_id: string;
  readonly private_key_id: string;
  readonly private_key: string;
  readonly client_email: string;
  readonly client_id: string;
  readonly auth_uri: string;
  readonly token_uri: string;
  readonly universe_domain: string;
}

export function renderServiceAccountKey(key: ServiceAccountKey, url: string): ServiceAccountKeyFile {
  return {
    type: "service_account",
    project_id: EMULATED_PROJECT,
    private_key_id: key.keyId,
    private_key: key.privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
    client_email: key.email,
    client_id: "100000000000000000001",
    auth_uri: `${url}/auth`,
    token_uri: `${url}/token`,
    universe_domain: "googleapis.com",
  };
}

export interface AuthorizedUserFile {
  readonly type: "authorized_user";
  readonly client_id: string;
  readonly client_secret: string;
  readonly refresh_token: string;
  readonly token_uri: string;
  readonly universe_domain: string;
}

export function renderAuthorizedUser(user: User, url: string): AuthorizedUserFile {
  return {
    type: "authorized_user",
    client_id: user.clientId,
    client_secret: user.clientSecret,
    refresh_token: user.refreshToken,
    token_uri: `${url}/token`,
    universe_domain: "googleapis.com",
  };
}

/** As gcloud writes it for `--impersonate-service-account`. */
export function renderImpersonated(
  target: string,
  source: ServiceAccountKeyFile | AuthorizedUserFile,
  url: string,
): object {
  return {
    type: "impersonated_service_account",
    service_account_impersonation_url: impersonationUrl(target, url),
    delegates: [],
    source_credentials: source,
    universe_domain: "googleapis.com",
  };
}

const JWT_TYPE = "urn:ietf:params:oauth:token-type:jwt";
const POOL = `projects/${EMULATED_PROJECT_NUMBER}/locations/global/workloadIdentityPools/emulated-pool`;
const PROVIDER = `//iam.googleapis.com/${POOL}/providers/emulated-provider`;

/** The audience that Google expects in a subject token unless a provider says otherwise. */
export const SUBJECT_TOKEN_AUDIENCE: string = `https:${PROVIDER}`;

export function federatedPrincipal(subject: string): string {
  return `principal://iam.googleapis.com/${POOL}/subject/${subject}`;
}

/** With a target, the federated token is exchanged once more, for one of that service account. */
export function renderExternalAccount(subjectTokenPath: string, url: string, target?: string): object {
  const origin = { file: subjectTokenPath, format: { type: "text" } };
  return {
    ...renderFederated(url, JWT_TYPE, origin),
    ...(target !== undefined && { service_account_impersonation_url: impersonationUrl(target, url) }),
  };
}

/** As CI systems issue subject tokens: for whoever has the job's own token. */
export function renderExternalAccountUrl(path: string, bearer: string, url: string): object {
  return renderFederated(url, JWT_TYPE, {
    url: `${url}${path}`,
    headers: { Authorization: `Bearer ${bearer}` },
    format: { type: "json", subject_token_field_name: "value" },
  });
}

export function renderExternalAccountExecutable(responsePath: string, url: string): object {
  const executable = { command: `/bin/cat "${responsePath}"`, timeout_millis: 5000 };
  return renderFederated(url, JWT_TYPE, { executable });
}

export function renderExecutableResponse(subjectToken: string, expiresAtMs: number): object {
  return {
    version: 1,
    success: true,
    token_type: JWT_TYPE,
    id_token: subjectToken,
    expiration_time: Math.floor(expiresAtMs / 1000),
  };
}

export function renderExternalAccountAws(url: string): object {
  return renderFederated(url, "urn:ietf:params:aws:token-type:aws4_request", {
    environment_id: "aws1",
    region_url: `${url}/latest/meta-data/placement/availability-zone`,
    url: `${url}/latest/meta-data/iam/security-credentials`,
    regional_cred_verification_url: "https://sts.{region}.amazonaws.com?Action=GetCallerIdentity&Version=2011-06-15",
    imdsv2_session_token_url: `${url}/latest/api/token`,
  });
}

function renderFederated(url: string, subjectTokenType: string, origin: object): object {
  return {
    type: "external_account",
    audience: PROVIDER,
    subject_token_type: subjectTokenType,
    token_url: `${url}/v1/token`,
    credential_source: origin,
    universe_domain: "googleapis.com",
  };
}

function impersonationUrl(target: string, url: string): string {
  return `${url}/v1/projects/-/serviceAccounts/${target}:generateAccessToken`;
}

const WORKFORCE_POOL = "locations/global/workforcePools/emulated-workforce";

export function workforcePrincipal(subject: string): string {
  return `principal://iam.googleapis.com/${WORKFORCE_POOL}/subject/${subject}`;
}

/** As `gcloud auth application-default login --login-config=…` writes it. */
export function renderWorkforceLogin(login: WorkforceLogin, url: string): object {
  return {
    type: "external_account_authorized_user",
    audience: `//iam.googleapis.com/${WORKFORCE_POOL}/providers/emulated-provider`,
    client_id: login.clientId,
    client_secret: login.clientSecret,
    refresh_token: login.refreshToken,
    token_url: `${url}/v1/oauthtoken`,
    token_info_url: `${url}/v1/introspect`,
    universe_domain: "googleapis.com",
  };
}

/** Where the emulator exchanges what service identities sign; their files name it. */
export function gdchTokenUrl(url: string): string {
  return `${url}/authenticate`;
}

export function renderServiceIdentityKey(key: ServiceIdentityKey, url: string): object {
  return {
    type: "gdch_service_account",
    format_version: "1",
    project: EMULATED_PROJECT,
    private_key_id: key.keyId,
    private_key: key.privateKey.export({ type: "sec1", format: "pem" }).toString(),
    name: key.name,
    token_uri: gdchTokenUrl(url),
  };
}
