import { createHmac } from "node:crypto";
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import { type CryptoKey, exportJWK, generateKeyPair, type JWK, type JWTPayload, SignJWT } from "jose";
import type { TestCertificate } from "./certificates.ts";

/** An issuer's key pair; `jwk` is the public half. */
export interface SigningKey {
  readonly algorithm: string;
  readonly privateKey: CryptoKey;
  readonly jwk: JWK;
  /** With the private half. */
  readonly privateJwk: JWK;
}

export async function createSigningKey(keyId: string, algorithm = "ES256"): Promise<SigningKey> {
  const { privateKey, publicKey } = await generateKeyPair(algorithm, { extractable: true });
  const names = { kid: keyId, alg: algorithm, use: "sig" };
  const [jwk, privateJwk] = await Promise.all([exportJWK(publicKey), exportJWK(privateKey)]);
  return { algorithm, privateKey, jwk: { ...jwk, ...names }, privateJwk: { ...privateJwk, ...names } };
}

/** Times in seconds since the epoch are put in where they are left out: issued at `nowMs`, good for five minutes. */
export async function signJwt(
  key: SigningKey,
  claims: JWTPayload,
  nowMs: number,
  header: object = {},
): Promise<string> {
  const nowS = Math.floor(nowMs / 1000);
  return await new SignJWT({ iat: nowS, exp: nowS + 300, ...claims })
    .setProtectedHeader({ alg: key.algorithm, kid: key.jwk.kid ?? "", typ: "JWT", ...header })
    .sign(key.privateKey);
}

/** A token that no library would make: any header, and a signature by whatever means. */
export function forgeJwt(header: object, claims: object, sign: (input: string) => string = () => ""): string {
  const input = [header, claims].map((part) => Buffer.from(JSON.stringify(part)).toString("base64url")).join(".");
  return `${input}.${sign(input)}`;
}

export function signHs256(secret: string | Buffer): (input: string) => string {
  return (input) => createHmac("sha256", secret).update(input).digest("base64url");
}

/** What is answered in place of the right thing. */
export type IssuerTrouble = "hang" | { readonly status: number; readonly body: string; readonly location?: string };

/** An OpenID Connect issuer on a loopback port: a discovery document and keys. */
export interface FakeIssuer extends AsyncDisposable {
  readonly url: string;
  /** Those that it publishes; a test may change them. */
  keys: readonly SigningKey[];
  /** Changes of the discovery document. */
  document: Readonly<Record<string, unknown>>;
  /** Until it is set back to undefined. */
  trouble: IssuerTrouble | undefined;
  readonly requests: { readonly path: string; readonly headers: IncomingHttpHeaders }[];
  /** How often the keys were asked for. */
  readonly keyRequests: number;
  sign(claims: JWTPayload, nowMs?: number, header?: object): Promise<string>;
}

function answerOf(issuer: FakeIssuer, path: string): Exclude<IssuerTrouble, "hang"> {
  const documents: Readonly<Record<string, object>> = {
    "/.well-known/openid-configuration": {
      issuer: issuer.url,
      jwks_uri: `${issuer.url}/keys`,
      ...issuer.document,
    },
    "/keys": { keys: issuer.keys.map(({ jwk }) => jwk) },
  };
  const document = documents[path];
  return document === undefined ? { status: 404, body: "" } : { status: 200, body: JSON.stringify(document) };
}

/** @param certificate over TLS, then */
export async function startIssuer(certificate?: TestCertificate): Promise<FakeIssuer> {
  const requests: { path: string; headers: IncomingHttpHeaders }[] = [];
  const answer = (request: IncomingMessage, response: ServerResponse) => {
    const { url = "", headers } = request;
    requests.push({ path: url, headers });
    if (issuer.trouble === "hang") return;
    const { status, body, location } = issuer.trouble ?? answerOf(issuer, url);
    response.writeHead(status, location === undefined ? {} : { location }).end(body);
  };
  const server =
    certificate === undefined
      ? createServer(answer)
      : createTlsServer({ cert: certificate.certificate, key: certificate.privateKey }, answer);
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  const first = await createSigningKey("first");
  const issuer: FakeIssuer = {
    url: `${certificate === undefined ? "http" : "https"}://127.0.0.1:${address.port}`,
    keys: [first],
    document: {},
    trouble: undefined,
    requests,
    get keyRequests() {
      return requests.filter(({ path }) => path === "/keys").length;
    },
    sign(claims, nowMs = Date.now(), header = {}) {
      const [key = first] = issuer.keys;
      return signJwt(key, { iss: issuer.url, ...claims }, nowMs, header);
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => {
        server.close(resolve);
      });
    },
  };
  return issuer;
}
