import { decodeJwt, decodeProtectedHeader, errors, type JWTPayload, jwtVerify } from "jose";
import type { Clock } from "../core/clock.ts";
import { parseJson } from "./body.ts";
import { gdchTokenUrl } from "./credential-json.ts";
import type { ServiceIdentity } from "./identities.ts";
import { type TokenEndpointDependencies, tokenReply } from "./oauth-routes.ts";
import { oauthRefusal } from "./refusals.ts";
import type { Call, EmulatorRequest, Reply, Route } from "./routes.ts";
import { CLOUD_KMS_SCOPE } from "./token-registry.ts";

const EXPECTED = {
  grant_type: "urn:ietf:params:oauth:token-type:token-exchange",
  requested_token_type: "urn:ietf:params:oauth:token-type:access_token",
  subject_token_type: "urn:k8s:params:oauth:token-type:serviceaccount",
} as const;
const MAX_LIFETIME_S = 3600;

/** The token server of Google Distributed Cloud, as google-auth-library's client for it asks. */
export function createGdchRoutes(dependencies: TokenEndpointDependencies): readonly Route[] {
  return [
    {
      method: "POST",
      path: /^\/authenticate$/,
      endpoint: "gdch.token",
      resource: ({ request }) => claimedIdentity(readFields(request)["subject_token"] ?? ""),
      answer: (call) => exchange(call, readFields(call.request), dependencies),
    },
  ];
}

async function exchange(
  call: Call,
  fields: Readonly<Record<string, string>>,
  { clock, identities, tokens, tokenLifetimeMs, url }: TokenEndpointDependencies,
): Promise<Reply> {
  for (const [name, value] of Object.entries(EXPECTED)) {
    if (fields[name] !== value) throw oauthRefusal("invalid_request", `${name} must be ${value}.`);
  }
  const assertion = fields["subject_token"] ?? "";
  const identity = identities.serviceIdentities.get(claimedIdentity(assertion) ?? "");
  if (identity === undefined) throw oauthRefusal("invalid_grant", "The service identity was not found.");
  await verify(assertion, identity, gdchTokenUrl(url), clock);
  call.principal = identity.principal;
  const { audience } = fields;
  if (audience !== url && audience !== "https://cloudkms.googleapis.com") {
    throw oauthRefusal("invalid_target", "The audience is not that of a service of this emulator.");
  }
  const { token } = tokens.issue("gdch", identity.principal, [CLOUD_KMS_SCOPE], tokenLifetimeMs);
  return tokenReply(token, tokenLifetimeMs, { issued_token_type: EXPECTED.requested_token_type });
}

async function verify(assertion: string, identity: ServiceIdentity, audience: string, clock: Clock): Promise<void> {
  const key = identity.keys.get(keyIdOf(assertion) ?? "");
  if (key === undefined) throw oauthRefusal("invalid_grant", "Invalid JWT Signature: the key was not found.");
  let payload: JWTPayload;
  try {
    ({ payload } = await jwtVerify(assertion, key, {
      algorithms: ["ES256", "RS256"],
      issuer: identity.principal,
      subject: identity.principal,
      audience,
      requiredClaims: ["iat", "exp"],
      currentDate: new Date(clock.nowMs()),
    }));
  } catch (error) {
    throw oauthRefusal("invalid_grant", describe(error));
  }
  const { iat = 0, exp = 0 } = payload;
  if (exp - iat > MAX_LIFETIME_S) throw oauthRefusal("invalid_grant", "Invalid JWT: not a short-lived token.");
}

function describe(error: unknown): string {
  if (error instanceof errors.JWTExpired) return "Invalid JWT: not in a reasonable timeframe, check iat and exp.";
  if (error instanceof errors.JWTClaimValidationFailed) return `Invalid JWT: the ${error.claim} claim is not right.`;
  return "Invalid JWT Signature.";
}

function readFields(request: EmulatorRequest): Readonly<Record<string, string>> {
  const body = parseJson(request.body.toString("utf8"));
  if (typeof body !== "object" || body === null) return {};
  return Object.fromEntries(Object.entries(body).filter(([, value]) => typeof value === "string"));
}

function claimedIdentity(assertion: string): string | undefined {
  try {
    return decodeJwt(assertion).iss;
  } catch {
    return undefined;
  }
}

function keyIdOf(assertion: string): string | undefined {
  try {
    return decodeProtectedHeader(assertion).kid;
  } catch {
    return undefined;
  }
}
