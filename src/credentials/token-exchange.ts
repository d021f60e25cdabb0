import { parseJsonObject } from "../core/json.ts";
import { Secret } from "../core/secret.ts";
import type { ExternalAccount } from "./external-account.ts";
import type { SourceContext } from "./source-context.ts";
import type { SubjectToken } from "./subject-tokens/subject-token.ts";
import type { Token } from "./token.ts";
import { type RefusalContext, toRefusalError, uselessAnswer } from "./token-errors.ts";

const GRANT_TYPE = "urn:ietf:params:oauth:grant-type:token-exchange";
const ACCESS_TOKEN_TYPE = "urn:ietf:params:oauth:token-type:access_token";

/**
 * Exchanges a subject token for an access token at Google's security token service.
 * https://cloud.google.com/iam/docs/reference/sts/rest/v1/TopLevel/token
 *
 * Asked for directly: the library's clients make this request over a transport of their own, which has no time limit,
 * follows redirects and cannot be replaced.
 *
 * @throws KeyServiceError any credential code but `credential_missing`, or the signal's reason
 */
export async function exchangeSubjectToken(
  account: ExternalAccount,
  subjectToken: SubjectToken,
  refusals: RefusalContext,
  { send, scope, clock }: Pick<SourceContext, "send" | "scope" | "clock">,
  signal: AbortSignal,
): Promise<Token> {
  const { tokenUrl, client, userProject } = account;
  const form = new URLSearchParams({
    grant_type: GRANT_TYPE,
    audience: account.audience,
    scope,
    requested_token_type: ACCESS_TOKEN_TYPE,
    subject_token_type: account.subjectTokenType,
    subject_token: subjectToken.token.reveal(),
    // A client that authenticates itself has a project already.
    ...(client === undefined && userProject !== undefined && { options: JSON.stringify({ userProject }) }),
  });
  const headers = {
    accept: "application/json",
    "content-type": "application/x-www-form-urlencoded",
    ...(client !== undefined && { authorization: `Basic ${toBasic(client)}` }),
  };
  const { clientCertificate } = subjectToken;
  const request = { method: "POST", url: tokenUrl, headers, body: form.toString() } as const;
  const response = await send({ ...request, ...(clientCertificate !== undefined && { clientCertificate }) }, signal);
  if (response.status !== 200) throw toRefusalError(response, tokenUrl.host, refusals);
  const body = parseJsonObject(response.text);
  const [accessToken, expiresInS] = [body?.["access_token"], body?.["expires_in"]];
  if (typeof accessToken !== "string" || accessToken === "" || typeof expiresInS !== "number") {
    throw uselessAnswer(tokenUrl.host, refusals.source);
  }
  return {
    accessToken: new Secret(accessToken),
    expiresAtMs: clock.nowMs() + expiresInS * 1000,
    ...(refusals.principal === undefined ? {} : { principal: refusals.principal }),
    steps: [subjectToken.step, `exchanged at ${tokenUrl.host}`],
  };
}

function toBasic({ id, secret }: NonNullable<ExternalAccount["client"]>): string {
  return Buffer.from(`${id}:${secret.reveal()}`).toString("base64");
}
