import { createPrivateKey } from "node:crypto";
import { parseJwtPart } from "../../core/jwt.ts";
import { Secret } from "../../core/secret.ts";
import { type CredentialDocument, requireUniverse } from "../credential-document.ts";
import { type MintTools, mintWithLibrary } from "../google-mint.ts";
import type { MintToken, SourceContext } from "../source-context.ts";
import type { Token, TokenScope } from "../token.ts";
import { type Refusal, uselessAnswer } from "../token-errors.ts";

const GOOGLE_TOKEN_URL = "https://oauth2.googleapis.com/token";

/** A key file as far as it is used. */
interface ServiceAccountKey {
  readonly email: string;
  readonly privateKey: Secret;
  readonly keyId: string | undefined;
  readonly tokenUrl: URL | undefined;
}

/**
 * A service account key signs its own access token: no token endpoint is needed, and none can be down.
 * https://google.aip.dev/auth/4111
 */
export const mintSelfSigned: MintToken = async (source, document, context, signal) => {
  const key = parseKey(document, context);
  return mintWithLibrary(context, refusalContext(source, key), document.origin, signal, async ({ library }) => {
    const access = new library.JWTAccess(key.email, key.privateKey.reveal(), key.keyId ?? null);
    const headers = access.getRequestHeaders(undefined, undefined, context.scope);
    const jwt = (headers.get("authorization") ?? "").slice("Bearer ".length);
    const exp = parseJwtPart(jwt.split(".")[1] ?? "")?.["exp"];
    return {
      accessToken: new Secret(jwt),
      expiresAtMs: typeof exp === "number" ? exp * 1000 : Number.NaN,
      principal: key.email,
      steps: [`key of ${key.email} from ${document.origin}`, "self-signed JWT"],
    };
  });
};

/** The key's assertion is exchanged at the token endpoint, for whom self-signed tokens are not enough. */
export const mintByOauthGrant: MintToken = async (source, document, context, signal) => {
  const key = parseKey(document, context);
  const what = key.tokenUrl === undefined ? "google-auth-library" : `"token_uri" in ${document.origin}`;
  return mintWithLibrary(context, refusalContext(source, key), what, signal, async (tools) =>
    grant(source, document.origin, key, context.scope, tools),
  );
};

async function grant(
  source: string,
  origin: string,
  key: ServiceAccountKey,
  scope: TokenScope,
  tools: MintTools,
): Promise<Token> {
  const { library, transporter } = tools;
  const tokenUrl = key.tokenUrl ?? new URL(GOOGLE_TOKEN_URL);
  transporter.interceptors.request.add({
    // The library has Google's token URL built in and ignores the key file's.
    resolved: async (config) => Object.assign(config, { url: tokenUrl }),
  });
  const client = new library.JWT({
    email: key.email,
    key: key.privateKey.reveal(),
    ...(key.keyId === undefined ? {} : { keyId: key.keyId }),
    scopes: [scope],
    additionalClaims: { aud: tokenUrl.href },
    transporter,
    // Its interceptors log requests and answers where NODE_DEBUG or GOOGLE_SDK_NODE_LOGGING ask for it.
    useAuthRequestParameters: false,
  });
  await client.authorize();
  const { access_token: accessToken, expiry_date: expiresAtMs } = client.credentials;
  if (!accessToken) throw uselessAnswer(tokenUrl.host, source);
  return {
    accessToken: new Secret(accessToken),
    expiresAtMs: expiresAtMs ?? Number.NaN,
    principal: key.email,
    steps: [`key of ${key.email} from ${origin}`, `OAuth grant at ${tokenUrl.host}`],
  };
}

function parseKey(document: CredentialDocument, { google }: SourceContext): ServiceAccountKey {
  requireUniverse(document, google.universeDomain);
  const privateKey = document.text("private_key");
  if (!isRsaKey(privateKey)) throw document.fault("private_key", "is not an RSA key in PEM form");
  return {
    email: document.text("client_email"),
    privateKey: new Secret(privateKey),
    keyId: document.optionalText("private_key_id"),
    tokenUrl: document.optionalUrl("token_uri"),
  };
}

/** Tried before the library does: what OpenSSL says of a bad key helps nobody, and might quote it. */
function isRsaKey(pem: string): boolean {
  try {
    return createPrivateKey(pem).asymmetricKeyType === "rsa";
  } catch {
    return false;
  }
}

function refusalContext(source: string, key: ServiceAccountKey) {
  return {
    source,
    principal: key.email,
    remedyFor: ({ code, meaning }: Refusal) =>
      code === "invalid_grant" && meaning === undefined
        ? "check that the account and this key exist and are enabled, and the clock of this machine"
        : undefined,
  };
}
