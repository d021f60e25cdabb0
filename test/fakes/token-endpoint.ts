import { generateKeyPairSync, type KeyObject, randomUUID } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { errors, jwtVerify } from "jose";
import type { GoogleConfig } from "../../src/config/config.ts";

export const ACCOUNT = "sops@team-a.iam.gserviceaccount.com";
export const USER = "someone@example.com";
export const REFRESH_TOKEN = "canary-refresh-token-1//0abc";
export const CLIENT_SECRET = "canary-client-secret";
const SCOPE = "https://www.googleapis.com/auth/cloudkms";
/** What a token must have to impersonate; one for Cloud KMS alone is refused, as Google refuses it. */
const IAM_SCOPE = "https://www.googleapis.com/auth/iam";
const SCOPES: readonly unknown[] = [SCOPE, IAM_SCOPE];

/** What is answered instead of the right answer: a status with a body, no answer at all, or a closed connection. */
export type Trouble =
  | { readonly status: number; readonly body: unknown; readonly headers?: Record<string, string> }
  | "hang"
  | "close";

export interface SeenRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
}

/** Google's token endpoints (OAuth, IAM credentials, metadata) on one loopback port, for one account and one user. */
export interface TokenEndpoint extends AsyncDisposable {
  readonly url: string;
  readonly google: GoogleConfig;
  /** PEM; the endpoint verifies assertions with its public half. */
  readonly privateKeyPem: string;
  readonly requests: SeenRequest[];
  /** Every access token that was handed out. */
  readonly issued: Set<string>;
  /** Until it is set back to undefined. */
  trouble: Trouble | undefined;
  /** Resolves when the next request has come in. */
  nextRequest(): Promise<SeenRequest>;
}

interface Answer {
  readonly status: number;
  readonly body: unknown;
}

const refuse = (error: string): Answer => ({ status: 400, body: { error, error_description: "no description" } });
const refuseGoogle = (status: number, text: string): Answer => ({
  status,
  body: { error: { code: status, message: "no message", status: text } },
});

export async function startTokenEndpoint(): Promise<TokenEndpoint> {
  const { privateKey, publicKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const requests: SeenRequest[] = [];
  const issued = new Set<string>();
  let waiting: ((request: SeenRequest) => void)[] = [];

  const server = createServer(async (request, response) => {
    const seen = await readRequest(request);
    requests.push(seen);
    const { trouble } = endpoint;
    for (const wake of waiting) wake(seen);
    waiting = [];
    if (trouble === "hang") return;
    if (trouble === "close") return void request.socket.destroy();
    if (trouble !== undefined) return reply(response, trouble, trouble.headers);
    const isMetadata = seen.path.startsWith("/computeMetadata/");
    reply(response, await answer(seen, publicKey, issued), isMetadata ? { "metadata-flavor": "Google" } : {});
  });
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  const url = `http://127.0.0.1:${address.port}`;

  const endpoint: TokenEndpoint = {
    url,
    google: {
      universeDomain: "googleapis.com",
      endpoints: { kms: url, oauth2: url, sts: url, iamCredentials: url, metadata: url },
      caFile: undefined,
    },
    privateKeyPem: privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
    requests,
    issued,
    trouble: undefined,
    nextRequest: () => new Promise((resolve) => waiting.push(resolve)),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => {
        server.close(resolve);
      });
    },
  };
  return endpoint;
}

async function readRequest(request: IncomingMessage): Promise<SeenRequest> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk);
  const { method = "", url = "", headers } = request;
  return { method, path: url, headers, body: Buffer.concat(chunks).toString("utf8") };
}

function reply(response: ServerResponse, { status, body }: Answer, headers: Record<string, string> = {}): void {
  const text = typeof body === "string" ? body : JSON.stringify(body);
  response.writeHead(status, { "content-type": "application/json", ...headers }).end(text);
}

async function answer(request: SeenRequest, key: KeyObject, issued: Set<string>): Promise<Answer> {
  const issue = (kind: string) => {
    const token = `ya29.canary-${kind}-${randomUUID()}`;
    issued.add(token);
    return token;
  };
  const { pathname, searchParams } = new URL(request.path, "http://localhost");
  if (pathname === "/token") return answerOauth(new URLSearchParams(request.body), key, issue);
  const account = /^\/v1\/projects\/-\/serviceAccounts\/([^/]+):generateAccessToken$/.exec(pathname)?.[1];
  if (account !== undefined) return impersonate(request, account, key, issued, issue);
  if (pathname.startsWith("/computeMetadata/")) return answerMetadata(request, pathname, searchParams, issue);
  return { status: 404, body: "not found" };
}

async function answerOauth(form: URLSearchParams, key: KeyObject, issue: (kind: string) => string): Promise<Answer> {
  const granted = (kind: string): Answer => ({
    status: 200,
    body: { access_token: issue(kind), expires_in: 3599, token_type: "Bearer" },
  });
  switch (form.get("grant_type")) {
    case "refresh_token":
      if (form.get("client_secret") !== CLIENT_SECRET) return refuse("invalid_client");
      return form.get("refresh_token") === REFRESH_TOKEN ? granted("user") : refuse("invalid_grant");
    case "urn:ietf:params:oauth:grant-type:jwt-bearer": {
      const claims = await verify(form.get("assertion") ?? "", key);
      const isRight = claims?.["aud"] === "https://oauth2.googleapis.com/token" && SCOPES.includes(claims["scope"]);
      return isRight ? granted("account") : refuse("invalid_grant");
    }
    default:
      return refuse("unsupported_grant_type");
  }
}

async function impersonate(
  request: SeenRequest,
  account: string,
  key: KeyObject,
  issued: ReadonlySet<string>,
  issue: (kind: string) => string,
): Promise<Answer> {
  const bearer = /^Bearer (.+)$/.exec(request.headers.authorization ?? "")?.[1] ?? "";
  const isSelfSigned = (await verify(bearer, key))?.["scope"] === IAM_SCOPE;
  if (!issued.has(bearer) && !isSelfSigned) return refuseGoogle(401, "UNAUTHENTICATED");
  if (account.startsWith("forbidden@")) return refuseGoogle(403, "PERMISSION_DENIED");
  const asked = JSON.parse(request.body);
  if (asked.scope[0] !== SCOPE || !/^\d+s$/.test(asked.lifetime)) return refuseGoogle(400, "INVALID_ARGUMENT");
  const expireTime = new Date(Date.now() + Number.parseInt(asked.lifetime, 10) * 1000).toISOString();
  return { status: 200, body: { accessToken: issue("impersonated"), expireTime } };
}

function answerMetadata(
  request: SeenRequest,
  path: string,
  query: URLSearchParams,
  issue: (kind: string) => string,
): Answer {
  if (request.headers["metadata-flavor"] !== "Google") return { status: 403, body: "Missing Metadata-Flavor:Google" };
  const [account, what] = path.split("/").slice(-2);
  if (account !== "default" && account !== ACCOUNT) return { status: 404, body: "no such account" };
  if (what === "email") return { status: 200, body: ACCOUNT };
  if (what !== "token" || !SCOPES.includes(query.get("scopes"))) return { status: 404, body: "not found" };
  return { status: 200, body: { access_token: issue("machine"), expires_in: 3599, token_type: "Bearer" } };
}

/** The claims of a JWT that the account's key signed, as Google would take it: RS256, for an hour at most. */
async function verify(jwt: string, key: KeyObject): Promise<Record<string, unknown> | undefined> {
  try {
    const { payload } = await jwtVerify(jwt, key, { algorithms: ["RS256"], issuer: ACCOUNT, maxTokenAge: "1h" });
    return (payload.exp ?? 0) - (payload.iat ?? 0) <= 3600 ? payload : undefined;
  } catch (error) {
    if (error instanceof errors.JOSEError) return undefined;
    throw error;
  }
}
