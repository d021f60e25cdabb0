import { parseForm } from "./body.ts";
import { generateWorkforceRefreshToken, type Identities, type WorkforceLogin } from "./identities.ts";
import { type TokenEndpointDependencies, tokenReply } from "./oauth-routes.ts";
import { oauthRefusal } from "./refusals.ts";
import type { Call, EmulatorRequest, Reply, Route } from "./routes.ts";
import { CLOUD_PLATFORM_SCOPE } from "./token-registry.ts";

/**
 * Where people of a workforce pool get access tokens for their refresh tokens, each of which is good for one use: a
 * client that loses the next one, or uses one twice, is seen.
 * https://cloud.google.com/iam/docs/reference/sts/rest/v1/TopLevel/oauthtoken
 */
export function createWorkforceRoutes(dependencies: TokenEndpointDependencies): readonly Route[] {
  return [
    {
      method: "POST",
      path: /^\/v1\/oauthtoken$/,
      endpoint: "sts.oauthtoken",
      resource: ({ request }) => readClient(request)?.id,
      answer: (call) => refresh(call, parseForm(call.request), dependencies),
    },
  ];
}

function refresh(
  call: Call,
  form: URLSearchParams,
  { identities, tokens, tokenLifetimeMs }: TokenEndpointDependencies,
): Reply {
  const login = authenticateClient(call.request, identities);
  call.principal = login.principal;
  if (form.get("grant_type") !== "refresh_token") {
    throw oauthRefusal("unsupported_grant_type", "grant_type must be refresh_token.");
  }
  if (login.revoked || form.get("refresh_token") !== login.refreshToken) {
    throw oauthRefusal("invalid_grant", "The refresh token was revoked, replaced, or never issued.");
  }
  login.refreshToken = generateWorkforceRefreshToken();
  const { token } = tokens.issue("sts", login.principal, [CLOUD_PLATFORM_SCOPE], tokenLifetimeMs);
  return tokenReply(token, tokenLifetimeMs, { refresh_token: login.refreshToken });
}

function authenticateClient(request: EmulatorRequest, identities: Identities): WorkforceLogin {
  const client = readClient(request);
  const login = identities.workforceLogins.get(client?.id ?? "");
  if (login === undefined) throw oauthRefusal("invalid_client", "The OAuth client was not found.");
  if (login.clientSecret !== client?.secret) throw oauthRefusal("invalid_client", "Unauthorized");
  return login;
}

/** HTTP Basic: https://www.rfc-editor.org/rfc/rfc6749#section-2.3.1 */
function readClient({ headers }: EmulatorRequest): { readonly id: string; readonly secret: string } | undefined {
  const encoded = /^Basic +([A-Za-z0-9+/=]+)$/i.exec(headers.authorization ?? "")?.[1];
  const parts = /^([^:]*):(.*)$/s.exec(Buffer.from(encoded ?? "", "base64").toString("utf8"));
  return parts === null ? undefined : { id: parts[1] ?? "", secret: parts[2] ?? "" };
}
