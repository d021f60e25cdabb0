import { createPrivateKey, type KeyObject, sign } from "node:crypto";
import { isAbsolute } from "node:path";
import { KeyServiceError } from "../../core/errors.ts";
import { parseJsonObject } from "../../core/json.ts";
import { Secret } from "../../core/secret.ts";
import { createProxyChoice } from "../../network/choose-proxy.ts";
import type { CredentialDocument } from "../credential-document.ts";
import { createCredentialReader } from "../credential-file.ts";
import type { MintToken, SourceContext } from "../source-context.ts";
import type { Token } from "../token.ts";
import { type Refusal, type RefusalContext, toRefusalError, uselessAnswer } from "../token-errors.ts";
import { createTokenRequests, type SendTokenRequest, type TokenResponse } from "../token-request.ts";

/** A key file of Google Distributed Cloud as far as it is used. */
interface ServiceIdentityKey {
  /** `system:serviceaccount:PROJECT:NAME` */
  readonly principal: string;
  readonly keyId: string;
  readonly privateKey: KeyObject;
  readonly algorithm: "ES256" | "RS256";
  readonly tokenUrl: URL;
  /** As the file has it: the server compares it with its own name. */
  readonly tokenAudience: string;
}

const ASSERTION_LIFE_S = 3600;

/**
 * A service identity of Google Distributed Cloud signs an assertion, which its token server exchanges.
 * https://cloud.google.com/distributed-cloud/hosted/docs/latest/gdch/platform/pa-user/service-identity
 *
 * Done here rather than by google-auth-library, whose client reads the certificate file without a bound and brings
 * retries, a time limit and a cache of its own.
 *
 * @param audience of the tokens
 */
export function createGdchMint(audience: string): MintToken {
  const selectTransport = createTrustingTransports();
  return async (source, document, context, signal) => {
    const key = parseKey(document, context);
    const send = await selectTransport(document, context);
    const issuedAtMs = context.clock.nowMs();
    const request = {
      method: "POST" as const,
      url: key.tokenUrl,
      headers: { "content-type": "application/json", accept: "application/json" },
      body: JSON.stringify({
        audience,
        grant_type: "urn:ietf:params:oauth:token-type:token-exchange",
        requested_token_type: "urn:ietf:params:oauth:token-type:access_token",
        subject_token: signAssertion(key, issuedAtMs),
        subject_token_type: "urn:k8s:params:oauth:token-type:serviceaccount",
      }),
    };
    const response = await send(request, signal);
    if (response.status !== 200) throw toRefusalError(response, key.tokenUrl.host, refusalContext(source, key));
    const { accessToken, lifeMs } = readToken(response, source, key.tokenUrl);
    return {
      accessToken,
      expiresAtMs: issuedAtMs + lifeMs,
      principal: key.principal,
      steps: [`key of ${key.principal} from ${document.origin}`, `token exchange at ${key.tokenUrl.host}`],
    } satisfies Token;
  };
}

/** Such a credential says for whom it speaks and not to whom, so only a source of its own type can use it. */
export const refuseWithoutAudience: MintToken = (source, document) =>
  Promise.reject(
    new KeyServiceError("credential_rejected", {
      source,
      problem: `the credential in ${document.origin} is of type gdch_service_account, which needs an audience`,
      remedy: "configure a token source of the type gdch_service_account, with its audience",
    }),
  );

function readToken({ text }: TokenResponse, source: string, url: URL): { accessToken: Secret; lifeMs: number } {
  const body = parseJsonObject(text);
  const [accessToken, expiresInS] = [body?.["access_token"], body?.["expires_in"]];
  if (typeof accessToken !== "string" || !/^[\x21-\x7e]+$/.test(accessToken) || typeof expiresInS !== "number") {
    throw uselessAnswer(url.host, source);
  }
  return { accessToken: new Secret(accessToken), lifeMs: expiresInS * 1000 };
}

function parseKey(document: CredentialDocument, { policy }: SourceContext): ServiceIdentityKey {
  if (document.text("format_version") !== "1") throw document.fault("format_version", "is not 1");
  const tokenUrl = document.optionalUrl("token_uri");
  if (tokenUrl === undefined) throw document.fault("token_uri", "is missing");
  const [project, identity] = [document.text("project"), document.text("name")];
  return {
    principal: `system:serviceaccount:${project}:${identity}`,
    keyId: document.text("private_key_id"),
    ...parsePrivateKey(document),
    tokenUrl: policy(tokenUrl, `"token_uri" in ${document.origin}`),
    tokenAudience: document.text("token_uri"),
  };
}

function parsePrivateKey(document: CredentialDocument): Pick<ServiceIdentityKey, "privateKey" | "algorithm"> {
  const privateKey = tryParsePrivateKey(document.text("private_key"));
  if (privateKey?.asymmetricKeyType === "rsa") return { privateKey, algorithm: "RS256" };
  if (privateKey?.asymmetricKeyDetails?.namedCurve === "prime256v1") return { privateKey, algorithm: "ES256" };
  throw document.fault("private_key", "is neither a P-256 nor an RSA key in PEM form");
}

/** What OpenSSL says of a bad key helps nobody, and might quote it. */
function tryParsePrivateKey(pem: string): KeyObject | undefined {
  try {
    return createPrivateKey(pem);
  } catch {
    return undefined;
  }
}

function signAssertion({ algorithm, keyId, principal, privateKey, tokenAudience }: ServiceIdentityKey, nowMs: number) {
  const issuedAtS = Math.floor(nowMs / 1000);
  const claims = {
    iss: principal,
    sub: principal,
    aud: tokenAudience,
    iat: issuedAtS,
    exp: issuedAtS + ASSERTION_LIFE_S,
  };
  const encode = (part: object) => Buffer.from(JSON.stringify(part)).toString("base64url");
  const signed = `${encode({ alg: algorithm, typ: "JWT", kid: keyId })}.${encode(claims)}`;
  // JWTs take both numbers of an EC signature side by side, not in DER: RFC 7518, section 3.4.
  const signature = sign("sha256", Buffer.from(signed), { key: privateKey, dsaEncoding: "ieee-p1363" });
  return `${signed}.${signature.toString("base64url")}`;
}

type SelectTransport = (document: CredentialDocument, context: SourceContext) => Promise<SendTokenRequest>;

/** The file may bring a CA of its own, which is read anew each time; connections are kept while it is the same. */
function createTrustingTransports(): SelectTransport {
  let latest: { readonly pem: string; readonly send: SendTokenRequest } | undefined;
  return async (document, context) => {
    const path = document.optionalText("ca_cert_path");
    if (path === undefined) return context.send;
    if (!isAbsolute(path)) throw document.fault("ca_cert_path", "is not an absolute path");
    // A credential file comes from outside: what it names is read as carefully as itself. A certificate is no secret.
    const { text: pem } = await createCredentialReader({ kind: "file", path }, context.environment, () => {})().catch(
      () => Promise.reject(document.fault("ca_cert_path", "names a file that cannot be read")),
    );
    if (!pem.includes("-----BEGIN CERTIFICATE-----")) {
      throw document.fault("ca_cert_path", "names a file without a certificate in PEM form");
    }
    if (latest?.pem !== pem) {
      const chooseProxy = createProxyChoice(context.environment);
      latest = { pem, send: createTokenRequests(context.google.caFile, { moreCas: [pem], chooseProxy }) };
    }
    return latest.send;
  };
}

function refusalContext(source: string, key: ServiceIdentityKey): RefusalContext {
  return {
    source,
    principal: key.principal,
    remedyFor({ code, meaning }: Refusal) {
      if (code === "invalid_target") return "set audience of this token source to the URL of the service that is asked";
      if (meaning !== undefined) return undefined;
      return "check that the service identity and this key exist, the audience, and the clock of this machine";
    },
  };
}
