import { decodeJwt, errors, type JWTPayload, jwtVerify } from "jose";
import type { Clock } from "../core/clock.ts";
import { parseForm } from "./body.ts";
import type { SubjectTokenIssuer } from "./identities.ts";
import { type TokenEndpointDependencies, tokenReply } from "./oauth-routes.ts";
import { oauthRefusal } from "./refusals.ts";
import type { Call, Reply, Route } from "./routes.ts";

const TOKEN_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange";
const ACCESS_TOKEN_TYPE = "urn:ietf:params:oauth:token-type:access_token";
const SUBJECT_TOKEN_TYPES = ["urn:ietf:params:oauth:token-type:jwt", "urn:ietf:params:oauth:token-type:id_token"];

const WORKLOAD_PROVIDER =
  /^\/\/iam\.googleapis\.com\/(?<pool>projects\/[0-9]+\/locations\/global\/workloadIdentityPools\/[a-z0-9-]+)\/providers\/[a-z0-9-]+$/;
const WORKFORCE_PROVIDER =
  /^\/\/iam\.googleapis\.com\/(?<pool>locations\/global\/workforcePools\/[a-z0-9-]+)\/providers\/[a-z0-9-]+$/;

/** Google's Security Token Service: https://cloud.google.com/iam/docs/reference/sts/rest/v1/TopLevel/token */
export function createStsRoutes(dependencies: TokenEndpointDependencies): readonly Route[] {
  return [
    {
      method: "POST",
      path: /^\/v1\/token$/,
      endpoint: "sts.token",
      resource: ({ request }) => parseForm(request).get("audience") ?? undefined,
      answer: (call) => exchange(call, parseForm(call.request), dependencies),
    },
  ];
}

async function exchange(
  call: Call,
  form: URLSearchParams,
  { clock, identities, tokens, tokenLifetimeMs }: TokenEndpointDependencies,
): Promise<Reply> {
  checkGrant(form);
  const audience = form.get("audience") ?? "";
  const pool = (WORKLOAD_PROVIDER.exec(audience) ?? WORKFORCE_PROVIDER.exec(audience))?.groups?.["pool"];
  if (pool === undefined)
    throw oauthRefusal("invalid_target", "The target service indicated by the audience is invalid.");
  const subjectToken = form.get("subject_token") ?? "";
  const issuer = identities.issuers.get(claimedIssuer(subjectToken));
  if (issuer === undefined) {
    throw oauthRefusal("invalid_grant", "The issuer in the subject token does not match that of any provider.");
  }
  const { sub } = await verifySubjectToken(subjectToken, issuer, audience, clock);
  const principal = `principal://iam.googleapis.com/${pool}/subject/${sub}`;
  call.principal = principal;
  const scopes = (form.get("scope") ?? "").split(/ +/).filter((scope) => scope !== "");
  if (scopes.length === 0) throw oauthRefusal("invalid_scope", "At least one scope must be asked for.");
  const { token } = tokens.issue("sts", principal, scopes, tokenLifetimeMs);
  return tokenReply(token, tokenLifetimeMs, { issued_token_type: ACCESS_TOKEN_TYPE });
}

function checkGrant(form: URLSearchParams): void {
  if (form.get("grant_type") !== TOKEN_EXCHANGE) {
    throw oauthRefusal("unsupported_grant_type", `grant_type must be ${TOKEN_EXCHANGE}.`);
  }
  const requested = form.get("requested_token_type") ?? ACCESS_TOKEN_TYPE;
  if (requested !== ACCESS_TOKEN_TYPE) throw oauthRefusal("invalid_request", "Invalid requested_token_type.");
  if (!SUBJECT_TOKEN_TYPES.includes(form.get("subject_token_type") ?? "")) {
    throw oauthRefusal(
      "invalid_request",
      `The emulator verifies subject tokens of ${SUBJECT_TOKEN_TYPES.join(" or ")}.`,
    );
  }
}

async function verifySubjectToken(
  token: string,
  { issuer, findKey, audiences }: SubjectTokenIssuer,
  provider: string,
  clock: Clock,
): Promise<JWTPayload> {
  try {
    const { payload } = await jwtVerify(token, findKey, {
      algorithms: ["RS256", "ES256"],
      issuer,
      audience: [...(audiences ?? [`https:${provider}`, provider])],
      requiredClaims: ["sub", "iat", "exp"],
      currentDate: new Date(clock.nowMs()),
    });
    return payload;
  } catch (error) {
    throw oauthRefusal("invalid_grant", describe(error));
  }
}

function describe(error: unknown): string {
  if (error instanceof errors.JWTExpired) return "The subject token is stale: its exp lies in the past.";
  if (error instanceof errors.JWTClaimValidationFailed) {
    return `The ${error.claim} claim of the subject token is missing or not the one expected.`;
  }
  return "Error connecting the subject token to the given credential's issuer: its signature could not be verified.";
}

function claimedIssuer(token: string): string {
  try {
    return decodeJwt(token).iss ?? "";
  } catch {
    return "";
  }
}
