import { KeyServiceError } from "../../core/errors.ts";
import { parseJsonObject } from "../../core/json.ts";
import { Secret } from "../../core/secret.ts";
import type { CredentialFields } from "../credential-document.ts";
import type { SourceContext } from "../source-context.ts";
import { toRefusalError } from "../token-errors.ts";
import type { TokenRequest } from "../token-request.ts";
import type { GetSubjectToken } from "./subject-token.ts";
import { checkAwsUrl } from "./subject-url-policy.ts";

interface AwsOrigin {
  readonly regionUrl: URL | undefined;
  readonly credentialsUrl: URL | undefined;
  readonly sessionTokenUrl: URL | undefined;
  /** With `{region}` in it. */
  readonly verificationUrl: string;
}

interface AwsKey {
  readonly accessKeyId: string;
  readonly secretAccessKey: Secret;
  readonly sessionToken: Secret | undefined;
}

type AskImds = (url: URL, signal: AbortSignal) => Promise<string>;

const SESSION_SECONDS = "300";
const REGION = /^[a-z]{2}(?:-[a-z]+){1,3}-\d{1,2}$/;
const VERIFICATION_HOST =
  /^sts(?:-fips)?(?:\.[a-z]{2}(?:-[a-z]+){1,3}-\d{1,2})?\.(?:amazonaws\.com(?:\.cn)?|api\.aws)$/;

/**
 * An AWS identity: a request that asks AWS who we are, signed and not sent. Google sends it.
 * https://cloud.google.com/iam/docs/workload-identity-federation-with-other-clouds
 */
export function parseAwsOrigin(origin: CredentialFields): GetSubjectToken {
  if (origin.text("environment_id") !== "aws1") throw origin.fault("environment_id", "is not aws1");
  const named = (field: string) => {
    const url = origin.optionalUrl(field);
    if (url !== undefined) checkAwsUrl(url, `"${field}" in ${origin.origin}`);
    return url;
  };
  const aws: AwsOrigin = {
    regionUrl: named("region_url"),
    credentialsUrl: named("url"),
    sessionTokenUrl: named("imdsv2_session_token_url"),
    verificationUrl: origin.text("regional_cred_verification_url"),
  };
  return async ({ source, audience }, context, signal) => {
    const ask = createAskImds(aws, source, context);
    const region = await findRegion(aws, context, ask, signal);
    const url = parseVerificationUrl(origin, aws.verificationUrl.replace("{region}", region));
    const { key, where } = await findKey(aws, context, ask, signal);
    const token = await signRequest(url, key, region, audience);
    return { token, step: `signed request of aws access key from ${where}, region ${region}` };
  };
}

/** What our key signs must be able to do nothing but say who we are, whoever wrote the file. */
function parseVerificationUrl(origin: CredentialFields, text: string): string {
  const url = URL.parse(text);
  const isRight =
    url?.protocol === "https:" &&
    url.port === "" &&
    VERIFICATION_HOST.test(url.hostname) &&
    url.pathname === "/" &&
    /^\?Action=GetCallerIdentity&Version=2011-06-15$/.test(url.search);
  if (!isRight) throw origin.fault("regional_cred_verification_url", "is not aws' GetCallerIdentity");
  return text;
}

async function findRegion(
  { regionUrl }: AwsOrigin,
  { environment }: SourceContext,
  ask: AskImds,
  signal: AbortSignal,
): Promise<string> {
  const given = environment.get("AWS_REGION") ?? environment.get("AWS_DEFAULT_REGION");
  if (given === undefined && regionUrl === undefined) throw notFound("region", "set AWS_REGION");
  const isZone = regionUrl?.pathname.endsWith("availability-zone") === true;
  // A zone is its region and a letter.
  const region = given ?? (await askOptional(regionUrl, ask, signal)).slice(0, isZone ? -1 : undefined);
  if (!REGION.test(region)) throw notFound("region of the usual form", "correct AWS_REGION");
  return region;
}

async function findKey(
  { credentialsUrl }: AwsOrigin,
  { environment }: SourceContext,
  ask: AskImds,
  signal: AbortSignal,
): Promise<{ key: AwsKey; where: string }> {
  const [accessKeyId, secretAccessKey] = [
    environment.get("AWS_ACCESS_KEY_ID"),
    environment.get("AWS_SECRET_ACCESS_KEY"),
  ];
  if (accessKeyId !== undefined && secretAccessKey !== undefined) {
    const sessionToken = environment.get("AWS_SESSION_TOKEN");
    return { key: toKey(accessKeyId, secretAccessKey, sessionToken), where: "the environment" };
  }
  if (credentialsUrl === undefined) {
    throw notFound("access key", "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or have the file name url");
  }
  const role = (await ask(credentialsUrl, signal)).trim();
  if (!/^[\w+=,.@-]{1,64}$/.test(role)) throw notFound("role on this machine", "attach an IAM role to the machine");
  const body = parseJsonObject(await ask(new URL(`${credentialsUrl.href.replace(/\/$/, "")}/${role}`), signal));
  const [id, secret, token] = [body?.["AccessKeyId"], body?.["SecretAccessKey"], body?.["Token"]];
  if (typeof id !== "string" || typeof secret !== "string") {
    throw notFound("access key in the metadata service's answer", "check the machine's IAM role");
  }
  return { key: toKey(id, secret, typeof token === "string" ? token : undefined), where: `IAM role ${role}` };
}

function toKey(accessKeyId: string, secretAccessKey: string, sessionToken: string | undefined): AwsKey {
  return {
    accessKeyId,
    secretAccessKey: new Secret(secretAccessKey),
    sessionToken: sessionToken === undefined ? undefined : new Secret(sessionToken),
  };
}

/** One session (IMDSv2) is opened for all that is asked, if it is needed at all. */
function createAskImds({ sessionTokenUrl }: AwsOrigin, source: string, context: SourceContext): AskImds {
  let session: Promise<Secret> | undefined;
  const send = async (request: TokenRequest, signal: AbortSignal): Promise<string> => {
    const response = await context.send(request, signal);
    if (response.status === 200) return response.text;
    const remedyFor = () => "check that the machine has an IAM role, and that its metadata options allow this request";
    throw toRefusalError(response, request.url.host, { source, remedyFor });
  };
  const openSession = async (url: URL, signal: AbortSignal): Promise<Secret> => {
    const headers = { "x-aws-ec2-metadata-token-ttl-seconds": SESSION_SECONDS };
    return new Secret(await send({ method: "PUT", url, headers }, signal));
  };
  return async (url, signal) => {
    if (sessionTokenUrl !== undefined) session ??= openSession(sessionTokenUrl, signal);
    const token = await session;
    const headers = token === undefined ? {} : { "x-aws-ec2-metadata-token": token.reveal() };
    return send({ method: "GET", url, headers }, signal);
  };
}

async function askOptional(url: URL | undefined, ask: AskImds, signal: AbortSignal): Promise<string> {
  return url === undefined ? "" : (await ask(url, signal)).trim();
}

/** As Google wants it: the request, header by header, as percent-encoded JSON. */
async function signRequest(url: string, key: AwsKey, region: string, audience: string): Promise<Secret> {
  const { AwsRequestSigner } = await import("google-auth-library");
  const signer = new AwsRequestSigner(
    async () => ({
      accessKeyId: key.accessKeyId,
      secretAccessKey: key.secretAccessKey.reveal(),
      ...(key.sessionToken === undefined ? {} : { token: key.sessionToken.reveal() }),
    }),
    region,
  );
  // Signed along, which the library's own client leaves out: the request is then good for this provider alone.
  const signed = await signer.getRequestOptions({
    url,
    method: "POST",
    headers: { "x-goog-cloud-target-resource": audience },
  });
  const headers = [...new Headers(signed.headers)].map(([name, value]) => ({ key: name, value }));
  return new Secret(encodeURIComponent(JSON.stringify({ url, method: "POST", headers })));
}

function notFound(what: string, remedy: string): KeyServiceError {
  return new KeyServiceError("credential_rejected", { problem: `there is no aws ${what}`, remedy });
}
