import type { CallerToken } from "../../core/caller-token.ts";
import { parseJsonObject } from "../../core/json.ts";
import { Secret } from "../../core/secret.ts";
import { type CredentialDocument, requireUniverse } from "../credential-document.ts";
import type { MintToken, SourceContext } from "../source-context.ts";
import { IAM_SCOPE, type Token, type TokenHolder, type TokenSource } from "../token.ts";
import { type Refusal, type RefusalContext, toRefusalError, uselessAnswer } from "../token-errors.ts";
import type { TokenRequest } from "../token-request.ts";

export interface ImpersonationTarget {
  /** The service account's email address. */
  readonly target: string;
  /** Email addresses, first hop first. */
  readonly delegates: readonly string[];
  readonly lifetimeMs: number;
}

/** Whose token makes the request. */
export interface ImpersonationBase {
  readonly token: Token;
  /** How errors name it where the token does not say whose it is. */
  readonly name: string;
  /** What it needs on the account; `roles/iam.serviceAccountTokenCreator` unless given. */
  readonly role?: string;
  /** The endpoint refused the token itself, not the right to impersonate. */
  onUnauthorized(): void;
}

const DEFAULT_LIFETIME_MS = 3_600_000;
const TOKEN_CREATOR = "roles/iam.serviceAccountTokenCreator";
const RESOURCE_PREFIX = "projects/-/serviceAccounts/";
const IMPERSONATION_PATH = /^\/v1\/projects\/-\/serviceAccounts\/([A-Za-z0-9._@-]{3,254}):generateAccessToken$/;

/**
 * Speaks for `target` with the tokens of another source.
 *
 * @param base gives tokens with {@link IAM_SCOPE}
 */
export function createImpersonatedSource(
  name: string,
  base: TokenHolder,
  target: ImpersonationTarget,
  context: SourceContext,
): TokenSource {
  return {
    name,
    async fetchToken(signal) {
      const token = await base.getToken(signal);
      const onUnauthorized = () => base.invalidate(token.generation);
      return impersonate(name, { token, name: `token source ${base.name}`, onUnauthorized }, target, context, signal);
    },
  };
}

/** The same over a source that has tokens of its own for each caller: so has this one, then. */
export function createImpersonatedOver(
  name: string,
  base: TokenHolder,
  target: ImpersonationTarget,
  context: SourceContext,
): TokenSource | ((token: CallerToken) => TokenSource) {
  const { forCaller } = base;
  if (forCaller === undefined) return createImpersonatedSource(name, base, target, context);
  return (token) => createImpersonatedSource(name, forCaller(token), target, context);
}

/**
 * The file that `gcloud auth application-default login --impersonate-service-account` writes: the credential that
 * impersonates stands inside.
 *
 * @param mintInner for the credential inside
 */
export function createImpersonatedFileMint(mintInner: MintToken): MintToken {
  return async (source, document, context, signal) => {
    const inner = document.document("source_credentials");
    if (inner.type === "impersonated_service_account") {
      throw document.fault("source_credentials", "is itself impersonated; name the accounts between as delegates");
    }
    // Where the file says nothing, what stands inside of it speaks for both.
    if (document.optionalText("universe_domain") !== undefined) {
      requireUniverse(document, context.google.universeDomain);
    }
    const target = parseTarget(document, context);
    const token = await mintInner(source, inner, { ...context, scope: IAM_SCOPE }, signal);
    const base = { token, name: `the credential inside ${document.origin}`, onUnauthorized() {} };
    return impersonate(source, base, target, context, signal);
  };
}

/** As it stands where its escapes mean nothing: then it is the path of no account. */
function decodePath({ pathname }: URL): string {
  try {
    return decodeURIComponent(pathname);
  } catch {
    return pathname;
  }
}

/** @throws KeyServiceError `credential_rejected` where the URL is missing, names no account, or a host not to be asked */
export function parseTarget(document: CredentialDocument, { policy }: SourceContext): ImpersonationTarget {
  const field = "service_account_impersonation_url";
  const url = document.optionalUrl(field);
  const target = url === undefined ? undefined : IMPERSONATION_PATH.exec(decodePath(url))?.[1];
  if (url === undefined || target === undefined) throw document.fault(field, "names no service account");
  // The configured endpoint is what will be asked; a file that names a host that must not be asked is refused.
  policy(url, `"${field}" in ${document.origin}`);
  return { target, delegates: document.optionalTexts("delegates"), lifetimeMs: DEFAULT_LIFETIME_MS };
}

/**
 * https://cloud.google.com/iam/docs/reference/credentials/rest/v1/projects.serviceAccounts/generateAccessToken
 *
 * Asked for directly: the library's client for this warns on the console at every construction, and the one way to
 * quiet it is internal to it.
 */
export async function impersonate(
  source: string,
  base: ImpersonationBase,
  target: ImpersonationTarget,
  context: SourceContext,
  signal: AbortSignal,
): Promise<Token> {
  const endpoint = context.google.endpoints.iamCredentials;
  const named = new URL(`${endpoint}/v1/${toResource(target.target)}:generateAccessToken`);
  const url = context.policy(named, "google.endpoints.iamCredentials");
  const request: TokenRequest = {
    method: "POST",
    url,
    headers: {
      authorization: `Bearer ${base.token.accessToken.reveal()}`,
      "content-type": "application/json",
      accept: "application/json",
    },
    body: JSON.stringify({
      delegates: target.delegates.map(toResource),
      scope: [context.scope],
      lifetime: `${Math.round(target.lifetimeMs / 1000)}s`,
    }),
  };
  const response = await context.send(request, signal);
  if (response.status !== 200) throw toRefusalError(response, url.host, refusalContext(source, target, base));
  const body = parseJsonObject(response.text);
  const [accessToken, expireTime] = [body?.["accessToken"], body?.["expireTime"]];
  if (typeof accessToken !== "string" || accessToken === "" || typeof expireTime !== "string") {
    throw uselessAnswer(url.host, source);
  }
  return {
    accessToken: new Secret(accessToken),
    // With our clock behind Google's, the expiry that it states seems further away than the life we asked for.
    expiresAtMs: Math.min(Date.parse(expireTime), context.clock.nowMs() + target.lifetimeMs),
    principal: target.target,
    steps: [...base.token.steps, ...target.delegates.map((each) => `via ${each}`), `impersonated ${target.target}`],
  };
}

/** gcloud writes delegates in full, people as addresses; the API takes the full form alone. */
function toResource(account: string): string {
  return account.startsWith(RESOURCE_PREFIX) ? account : `${RESOURCE_PREFIX}${account}`;
}

function refusalContext(
  source: string,
  { target, delegates }: ImpersonationTarget,
  base: ImpersonationBase,
): RefusalContext {
  const who = base.token.principal ?? base.name;
  const first = delegates[0] ?? target;
  const { role = TOKEN_CREATOR } = base;
  const onward = delegates.length > 0 ? `, and ${TOKEN_CREATOR} to each delegate on the next` : "";
  return {
    source,
    principal: target,
    onUnauthorized: () => base.onUnauthorized(),
    remedyFor({ status, code, reason }: Refusal) {
      if (reason === "SERVICE_DISABLED") return "enable iamcredentials.googleapis.com in the project of the caller";
      if (status === 404) return `check that the service account ${first} exists`;
      if (status === 403) return `grant ${role} to ${who} on ${first}${onward}`;
      if (code === "INVALID_ARGUMENT") return "check target, delegates and lifetime (above 1h needs an org policy)";
      return undefined;
    },
  };
}
