import { decodeJwt } from "jose";
import type { Clock } from "../core/clock.ts";
import { parseForm } from "./body.ts";
import type { Identities, User } from "./identities.ts";
import { oauthRefusal, type Refusal } from "./refusals.ts";
import type { Call, Reply, Route } from "./routes.ts";
import { type JwtProblem, verifyServiceAccountJwt } from "./service-account-jwt.ts";
import { CLOUD_PLATFORM_SCOPE, type TokenRegistry } from "./token-registry.ts";

export interface TokenEndpointDependencies {
  readonly clock: Clock;
  readonly identities: Identities;
  readonly tokens: TokenRegistry;
  readonly tokenLifetimeMs: number;
  /** The emulator's base URL. */
  readonly url: string;
}

const JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer";

const JWT_REFUSALS: Readonly<Record<JwtProblem, () => Refusal>> = {
  account: () => oauthRefusal("invalid_grant", "Invalid grant: account not found"),
  signature: () => oauthRefusal("invalid_grant", "Invalid JWT Signature."),
  audience: () => oauthRefusal("invalid_grant", "Invalid JWT: Failed audience check."),
  timeframe: () =>
    oauthRefusal(
      "invalid_grant",
      "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe. Check your iat and exp values in the JWT claim.",
    ),
  // No service account here has domain-wide delegation.
  subject: () =>
    oauthRefusal(
      "unauthorized_client",
      "Client is unauthorized to retrieve access tokens using this method, or client not authorized for any of the scopes requested.",
    ),
  malformed: () => oauthRefusal("invalid_grant", "Bad Request: the assertion is not a JWT"),
};

/** Google's OAuth token endpoint: https://developers.google.com/identity/protocols/oauth2 */
export function createOAuthRoutes(dependencies: TokenEndpointDependencies): readonly Route[] {
  return [
    {
      method: "POST",
      path: /^\/token$/,
      endpoint: "oauth.token",
      resource: ({ request }) => claimedIdentity(parseForm(request)),
      answer(call) {
        const form = parseForm(call.request);
        switch (form.get("grant_type")) {
          case JWT_BEARER:
            return grantToServiceAccount(call, form, dependencies);
          case "refresh_token":
            return grantToUser(call, form, dependencies);
          default:
            throw oauthRefusal("unsupported_grant_type", `Invalid grant_type: ${form.get("grant_type") ?? ""}`);
        }
      },
    },
  ];
}

async function grantToServiceAccount(
  call: Call,
  form: URLSearchParams,
  { clock, identities, tokens, tokenLifetimeMs, url }: TokenEndpointDependencies,
): Promise<Reply> {
  const audience = [`${url}/token`, "https://oauth2.googleapis.com/token"];
  const verified = await verifyServiceAccountJwt(form.get("assertion") ?? "", identities, clock, audience);
  if ("problem" in verified) throw JWT_REFUSALS[verified.problem]();
  call.principal = verified.email;
  const { scope } = verified.payload;
  if (typeof scope !== "string" || scope.trim() === "") {
    throw oauthRefusal("invalid_scope", "Invalid OAuth scope or ID token audience provided.");
  }
  const scopes = scope.trim().split(/ +/);
  return tokenReply(tokens.issue("oauth", verified.email, scopes, tokenLifetimeMs).token, tokenLifetimeMs);
}

function grantToUser(
  call: Call,
  form: URLSearchParams,
  { identities, tokens, tokenLifetimeMs }: TokenEndpointDependencies,
): Reply {
  const user = identities.users.get(form.get("refresh_token") ?? "");
  checkClient(form, user, identities);
  if (user === undefined || user.revoked) throw oauthRefusal("invalid_grant", "Token has been expired or revoked.");
  call.principal = user.email;
  const scopes = (form.get("scope") ?? CLOUD_PLATFORM_SCOPE).split(/ +/);
  const { token } = tokens.issue("oauth", user.email, scopes, tokenLifetimeMs);
  return tokenReply(token, tokenLifetimeMs, { scope: scopes.join(" ") });
}

/** The client is checked before the refresh token, which must belong to it. */
function checkClient(form: URLSearchParams, user: User | undefined, identities: Identities): void {
  const client = [...identities.users.values()].find(({ clientId }) => clientId === form.get("client_id"));
  if (client === undefined) throw oauthRefusal("invalid_client", "The OAuth client was not found.");
  if (client.clientSecret !== form.get("client_secret")) throw oauthRefusal("invalid_client", "Unauthorized");
  if (user !== undefined && user !== client) throw oauthRefusal("unauthorized_client", "Unauthorized");
}

/** RFC 6749, section 5.1. */
export function tokenReply(token: string, lifetimeMs: number, more: object = {}): Reply {
  const expiresIn = Math.floor(lifetimeMs / 1000);
  return { status: 200, body: { access_token: token, expires_in: expiresIn, token_type: "Bearer", ...more } };
}

/** Who it says it is, before anything was checked: for the request log and for faults. */
function claimedIdentity(form: URLSearchParams): string | undefined {
  const assertion = form.get("assertion");
  if (assertion === null) return form.get("client_id") ?? undefined;
  try {
    return decodeJwt(assertion).iss;
  } catch {
    return undefined;
  }
}
