import { z } from "zod";
import { parseForm, parseJson } from "./body.ts";
import { type TokenEndpointDependencies, tokenReply } from "./oauth-routes.ts";
import { oauthRefusal } from "./refusals.ts";
import type { Call, Reply, Route } from "./routes.ts";
import { verifyAwsRequest } from "./subject-token-aws.ts";
import { verifyJwt } from "./subject-token-jwt.ts";
import { verifyCertificateChain } from "./subject-token-x509.ts";

const TOKEN_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange";
const ACCESS_TOKEN_TYPE = "urn:ietf:params:oauth:token-type:access_token";
const AWS_TYPE = "urn:ietf:params:aws:token-type:aws4_request";
const MTLS_TYPE = "urn:ietf:params:oauth:token-type:mtls";
const SUBJECT_TOKEN_TYPES = [
  "urn:ietf:params:oauth:token-type:jwt",
  "urn:ietf:params:oauth:token-type:id_token",
  AWS_TYPE,
  MTLS_TYPE,
];
const optionsShape = z.strictObject({ userProject: z.string().min(1) });

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

async function exchange(call: Call, form: URLSearchParams, dependencies: TokenEndpointDependencies): Promise<Reply> {
  const { tokens, tokenLifetimeMs } = dependencies;
  checkGrant(form);
  const audience = form.get("audience") ?? "";
  const workforce = WORKFORCE_PROVIDER.exec(audience);
  const pool = (workforce ?? WORKLOAD_PROVIDER.exec(audience))?.groups?.["pool"];
  if (pool === undefined || dependencies.identities.deletedProviders.has(audience)) {
    throw oauthRefusal("invalid_target", "The target service indicated by the audience is invalid.");
  }
  checkOptions(form, workforce !== null);
  const subject = await verify(form, audience, dependencies);
  const principal = `principal://iam.googleapis.com/${pool}/subject/${subject}`;
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

function verify(
  form: URLSearchParams,
  provider: string,
  { identities, clock }: TokenEndpointDependencies,
): string | Promise<string> {
  const token = form.get("subject_token") ?? "";
  switch (form.get("subject_token_type")) {
    case AWS_TYPE:
      return verifyAwsRequest(token, provider, identities, clock);
    case MTLS_TYPE:
      return verifyCertificateChain(token, identities, clock);
    default:
      return verifyJwt(token, provider, identities, clock);
  }
}

/** https://cloud.google.com/iam/docs/workforce-obtaining-short-lived-credentials: quota counts for a project. */
function checkOptions(form: URLSearchParams, isWorkforce: boolean): void {
  const options = form.get("options");
  if (options === null) return;
  const isRight = isWorkforce && optionsShape.safeParse(parseJson(options)).success;
  if (!isRight) throw oauthRefusal("invalid_request", "The options are for workforce pools: a userProject in JSON.");
}
