import { createDeadline } from "../../core/deadline.ts";
import { parseJsonObject } from "../../core/json.ts";
import { Secret } from "../../core/secret.ts";
import { type CredentialDocument, requireUniverse } from "../credential-document.ts";
import type { RotatingAnswer } from "../refresh-tokens.ts";
import type { MintToken, SourceContext } from "../source-context.ts";
import type { Token } from "../token.ts";
import { type Refusal, toRefusalError, uselessAnswer } from "../token-errors.ts";

interface WorkforceLogin {
  readonly clientId: string;
  readonly clientSecret: Secret;
  readonly refreshToken: Secret;
  readonly tokenUrl: URL;
  readonly origin: string;
}

/** Two seconds more than a refresh has: an answer that comes a little late brings the next refresh token all the same. */
const EXCHANGE_TIMEOUT_MS = 12_000;

/**
 * A person of a workforce pool, as `gcloud auth application-default login --login-config=…` leaves it. Its scopes were
 * fixed at login. The server may replace the refresh token each time: see {@link RefreshTokens}.
 * https://cloud.google.com/iam/docs/workforce-obtaining-short-lived-credentials
 *
 * Asked for directly: google-auth-library's client makes as many requests as it has callers, and what it knows of a
 * replaced refresh token goes with it.
 */
export const mintExternalAccountAuthorizedUser: MintToken = async (source, document, context, signal) => {
  const login = parseLogin(document, context);
  const token = await context.refreshTokens.use(
    login,
    (refreshToken) => exchange(source, login, refreshToken, context),
    signal,
  );
  return token;
};

async function exchange(
  source: string,
  login: WorkforceLogin,
  refreshToken: Secret,
  { clock, send }: SourceContext,
): Promise<RotatingAnswer<Token>> {
  const { tokenUrl: url } = login;
  using deadline = createDeadline(clock, EXCHANGE_TIMEOUT_MS, `${url.host} did not answer in time`);
  const requestedAtMs = clock.nowMs();
  const response = await send(
    {
      method: "POST",
      url,
      // An answer that comes late still brings the only refresh token that is good from then on.
      silenceMs: EXCHANGE_TIMEOUT_MS,
      headers: {
        authorization: basicAuthorization(login),
        "content-type": "application/x-www-form-urlencoded",
        accept: "application/json",
      },
      body: new URLSearchParams({ grant_type: "refresh_token", refresh_token: refreshToken.reveal() }).toString(),
    },
    deadline.signal,
  );
  if (response.status !== 200) throw toRefusalError(response, url.host, { source, remedyFor });
  const body = parseJsonObject(response.text) ?? {};
  const { access_token: accessToken, expires_in: expiresInS } = body;
  if (typeof accessToken !== "string" || !/^[\x21-\x7e]+$/.test(accessToken) || typeof expiresInS !== "number") {
    throw uselessAnswer(url.host, source);
  }
  return {
    result: {
      accessToken: new Secret(accessToken),
      expiresAtMs: requestedAtMs + expiresInS * 1000,
      steps: [`refresh token from ${login.origin}`, `token exchange at ${url.host}`],
    },
    replacement: readReplacement(body["refresh_token"], refreshToken),
  };
}

function readReplacement(answered: unknown, used: Secret): Secret | undefined {
  const isNew = typeof answered === "string" && answered !== "" && answered !== used.reveal();
  return isNew ? new Secret(answered) : undefined;
}

function parseLogin(document: CredentialDocument, { google, policy }: SourceContext): WorkforceLogin {
  requireUniverse(document, google.universeDomain);
  const usual = `https://sts.${google.universeDomain}/v1/oauthtoken`;
  return {
    clientId: document.text("client_id"),
    clientSecret: new Secret(document.text("client_secret")),
    refreshToken: new Secret(document.text("refresh_token")),
    tokenUrl: policy(document.optionalUrl("token_url") ?? new URL(usual), `"token_url" in ${document.origin}`),
    origin: document.origin,
  };
}

function basicAuthorization({ clientId, clientSecret }: WorkforceLogin): string {
  return `Basic ${Buffer.from(`${clientId}:${clientSecret.reveal()}`).toString("base64")}`;
}

function remedyFor({ code }: Refusal): string | undefined {
  if (code === "invalid_grant") {
    return "log in again with gcloud auth application-default login; with stateDirectory in the config a replaced refresh token outlives a restart";
  }
  if (code === "invalid_client" || code === "unauthorized_client") return "check client_id and client_secret";
  return undefined;
}
