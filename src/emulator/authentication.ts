import type { Clock } from "../core/clock.ts";
import type { Identities } from "./identities.ts";
import { errorInfo, googleRefusal, type Refusal } from "./refusals.ts";
import type { Call } from "./routes.ts";
import { verifyServiceAccountJwt } from "./service-account-jwt.ts";
import { CLOUD_KMS_SCOPE, CLOUD_PLATFORM_SCOPE, type Grant, IAM_SCOPE, type TokenRegistry } from "./token-registry.ts";

export type Service = "cloudkms" | "iamcredentials";

/** Besides `cloud-platform`, which is good for both. */
const SERVICE_SCOPES: Readonly<Record<Service, string>> = { cloudkms: CLOUD_KMS_SCOPE, iamcredentials: IAM_SCOPE };

/** Says who calls, and notes it on the call. @throws Refusal 401, or 403 where the token's scopes do not suffice */
export type Authenticate = (call: Call, service: Service) => Promise<string>;

export interface AuthenticationOptions {
  readonly clock: Clock;
  readonly identities: Identities;
  readonly tokens: TokenRegistry;
  /** The emulator's own base URL, which a self-signed JWT may name as its audience. */
  readonly url: string;
}

export function createAuthenticate(options: AuthenticationOptions): Authenticate {
  const { clock, tokens } = options;
  return async (call, service) => {
    const token = /^Bearer +(\S+)$/i.exec(call.request.headers.authorization ?? "")?.[1];
    if (token === undefined) throw unauthenticated("CREDENTIALS_MISSING", service);
    const grant = tokens.find(token) ?? (await admitSelfSigned(token, service, options));
    if (grant === undefined) throw unauthenticated("ACCESS_TOKEN_TYPE_UNSUPPORTED", service);
    call.principal = grant.principal;
    if (grant.expiresAtMs <= clock.nowMs()) throw unauthenticated("ACCESS_TOKEN_EXPIRED", service);
    if (!isScopedFor(grant, service)) throw insufficientScopes(service);
    return grant.principal;
  };
}

/**
 * A JWT that a service account signed for itself (https://google.aip.dev/auth/4111). Once verified it is kept like
 * any other token: it need not be verified again, and it can be ended.
 */
async function admitSelfSigned(
  token: string,
  service: Service,
  { clock, identities, tokens, url }: AuthenticationOptions,
): Promise<Grant | undefined> {
  if (token.split(".").length !== 3 || token.startsWith("emulated.")) return undefined;
  const verified = await verifyServiceAccountJwt(token, identities, clock, undefined);
  if ("problem" in verified || verified.payload.sub !== verified.email) return undefined;
  const { scope, aud, exp = 0 } = verified.payload;
  // With an audience the JWT is good for that service alone, which is what its scopes then say.
  const scopes = typeof scope === "string" ? scope.split(" ") : [SERVICE_SCOPES[service]];
  if (typeof scope !== "string" && !isAudience(aud, service, url)) return undefined;
  const grant: Grant = { principal: verified.email, scopes, expiresAtMs: exp * 1000 };
  tokens.admit(token, grant);
  return grant;
}

function isAudience(audience: unknown, service: Service, url: string): boolean {
  if (typeof audience !== "string") return false;
  const named = audience.replace(/\/$/, "");
  return named === url || named === `https://${service}.googleapis.com` || isRegional(named, service);
}

function isRegional(audience: string, service: Service): boolean {
  return audience.startsWith(`https://${service}.`) && audience.endsWith(".rep.googleapis.com");
}

function isScopedFor(grant: Grant, service: Service): boolean {
  return grant.scopes.includes(CLOUD_PLATFORM_SCOPE) || grant.scopes.includes(SERVICE_SCOPES[service]);
}

function unauthenticated(reason: string, service: Service): Refusal {
  const text =
    reason === "CREDENTIALS_MISSING"
      ? "Request is missing required authentication credential. Expected OAuth 2 access token, login cookie or other valid authentication credential."
      : "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other valid authentication credential.";
  return googleRefusal("UNAUTHENTICATED", text, [
    errorInfo(reason, "googleapis.com", { service: `${service}.googleapis.com` }),
  ]);
}

function insufficientScopes(service: Service): Refusal {
  return googleRefusal("PERMISSION_DENIED", "Request had insufficient authentication scopes.", [
    errorInfo("ACCESS_TOKEN_SCOPE_INSUFFICIENT", "googleapis.com", { service: `${service}.googleapis.com` }),
  ]);
}
