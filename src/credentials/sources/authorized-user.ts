import { Secret } from "../../core/secret.ts";
import { requireUniverse } from "../credential-document.ts";
import { mintWithLibrary } from "../google-mint.ts";
import type { MintToken } from "../source-context.ts";
import { type Refusal, uselessAnswer } from "../token-errors.ts";

/**
 * A person's refresh token, as `gcloud auth application-default login` leaves it. Its scopes were fixed at login:
 * none can be asked for here.
 */
export const mintAuthorizedUser: MintToken = async (source, document, context, signal) => {
  requireUniverse(document, context.google.universeDomain);
  const clientId = document.text("client_id");
  const clientSecret = new Secret(document.text("client_secret"));
  const refreshToken = new Secret(document.text("refresh_token"));
  const account = document.optionalText("account");
  const refusals = { source, ...(account === undefined ? {} : { principal: account }), remedyFor };
  return mintWithLibrary(context, refusals, "google-auth-library", signal, async ({ library, transporter }) => {
    const client = new library.UserRefreshClient({
      clientId,
      clientSecret: clientSecret.reveal(),
      refreshToken: refreshToken.reveal(),
      transporter,
      useAuthRequestParameters: false,
    });
    await client.getAccessToken();
    const { access_token: accessToken, expiry_date: expiresAtMs } = client.credentials;
    if (!accessToken) throw uselessAnswer(context.google.endpoints.oauth2, source);
    return {
      accessToken: new Secret(accessToken),
      expiresAtMs: expiresAtMs ?? Number.NaN,
      ...(account === undefined ? {} : { principal: account }),
      steps: [`refresh token from ${document.origin}`],
    };
  });
};

function remedyFor({ code }: Refusal): string | undefined {
  if (code === "invalid_grant") return "run gcloud auth application-default login again";
  if (code === "invalid_client" || code === "unauthorized_client") return "check client_id and client_secret";
  return undefined;
}
