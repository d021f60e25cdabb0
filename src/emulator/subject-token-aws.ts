import { createHash, createHmac } from "node:crypto";
import { z } from "zod";
import type { Clock } from "../core/clock.ts";
import { parseJson } from "./body.ts";
import type { AwsKey, Identities } from "./identities.ts";
import { oauthRefusal, type Refusal } from "./refusals.ts";

interface SignedRequest {
  readonly url: URL;
  readonly headers: ReadonlyMap<string, string>;
}

/** What the `Authorization` header says of the signature. */
interface Signature {
  readonly accessKeyId: string;
  readonly date: string;
  readonly region: string;
  readonly signedHeaders: readonly string[];
  readonly signature: string;
}

const requestShape = z.strictObject({
  url: z.url(),
  method: z.literal("POST"),
  headers: z.array(z.strictObject({ key: z.string(), value: z.string() })).max(20),
});
const HOST = /^sts(?:\.[a-z0-9-]+)?\.amazonaws\.com$/;
const AUTHORIZATION =
  /^AWS4-HMAC-SHA256 Credential=(?<key>\w+)\/(?<date>\d{8})\/(?<region>[a-z0-9-]+)\/sts\/aws4_request, ?SignedHeaders=(?<headers>[a-z0-9;-]+), ?Signature=(?<signature>[0-9a-f]{64})$/;
/** As AWS has it. */
const MAX_AGE_MS = 15 * 60 * 1000;

/**
 * The ARN behind a signed GetCallerIdentity request, verified as AWS would verify it and bound to this provider.
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
 *
 * @throws Refusal
 */
export function verifyAwsRequest(token: string, provider: string, identities: Identities, clock: Clock): string {
  const request = parseRequest(token);
  checkTarget(request, provider);
  const signature = parseSignature(request);
  const key = identities.awsKeys.get(signature.accessKeyId);
  if (key === undefined) throw refused("The security token included in the request is invalid.");
  checkTime(request, signature, clock);
  if (request.headers.get("x-amz-security-token") !== key.sessionToken) {
    throw refused("The security token included in the request is invalid.");
  }
  if (computeSignature(request, signature, key) !== signature.signature) {
    throw refused("The request signature we calculated does not match the signature you provided.");
  }
  return key.arn;
}

function parseRequest(token: string): SignedRequest {
  const parsed = requestShape.safeParse(parseJson(decode(token)));
  if (!parsed.success) throw refused("The subject token is not a serialized AWS request.");
  const { headers, url } = parsed.data;
  return { url: new URL(url), headers: new Map(headers.map(({ key, value }) => [key.toLowerCase(), value])) };
}

function decode(token: string): string {
  try {
    return decodeURIComponent(token);
  } catch {
    return "";
  }
}

function checkTarget({ url, headers }: SignedRequest, provider: string): void {
  const isCallerIdentity = HOST.test(url.hostname) && url.searchParams.get("Action") === "GetCallerIdentity";
  if (!isCallerIdentity || headers.get("host") !== url.host) {
    throw refused("The subject token is not a GetCallerIdentity request to AWS.");
  }
  const target = headers.get("x-goog-cloud-target-resource")?.replace(/^https:/, "");
  if (target !== provider) {
    throw refused("The audience in the x-goog-cloud-target-resource header does not match the expected audience.");
  }
}

function parseSignature({ headers }: SignedRequest): Signature {
  const groups = AUTHORIZATION.exec(headers.get("authorization") ?? "")?.groups;
  if (groups === undefined) throw refused("The AWS request has no authorization of the right form.");
  const signedHeaders = (groups["headers"] ?? "").split(";");
  if (!signedHeaders.includes("host") || !signedHeaders.includes("x-amz-date")) {
    throw refused("The AWS request's signature does not cover host and x-amz-date.");
  }
  return {
    accessKeyId: groups["key"] ?? "",
    date: groups["date"] ?? "",
    region: groups["region"] ?? "",
    signedHeaders,
    signature: groups["signature"] ?? "",
  };
}

function checkTime({ headers }: SignedRequest, { date }: Signature, clock: Clock): void {
  const stamp = headers.get("x-amz-date") ?? "";
  const parts = /^(\d{4})(\d{2})(\d{2})T(\d{2})(\d{2})(\d{2})Z$/.exec(stamp)?.slice(1);
  const [year, month, day, hour, minute, second] = parts ?? [];
  const atMs = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
  const isNow = Math.abs(atMs - clock.nowMs()) <= MAX_AGE_MS && stamp.startsWith(date);
  if (!isNow) throw refused("The subject token is stale: the AWS request's signature expired.");
}

function computeSignature(
  { url, headers }: SignedRequest,
  { date, region, signedHeaders }: Signature,
  { secretAccessKey }: AwsKey,
): string {
  url.searchParams.sort();
  const canonical = [
    "POST",
    url.pathname,
    url.searchParams.toString(),
    ...signedHeaders.map((name) => `${name}:${(headers.get(name) ?? "").trim().replace(/ +/g, " ")}`),
    "",
    signedHeaders.join(";"),
    sha256(""),
  ].join("\n");
  const scope = `${date}/${region}/sts/aws4_request`;
  const toSign = ["AWS4-HMAC-SHA256", headers.get("x-amz-date"), scope, sha256(canonical)].join("\n");
  const signingKey = [date, region, "sts", "aws4_request"].reduce<Buffer>(
    (key, part) => hmac(key, part),
    Buffer.from(`AWS4${secretAccessKey}`),
  );
  return hmac(signingKey, toSign).toString("hex");
}

function hmac(key: Buffer, text: string): Buffer {
  return createHmac("sha256", key).update(text).digest();
}

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

function refused(text: string): Refusal {
  return oauthRefusal("invalid_grant", text);
}
