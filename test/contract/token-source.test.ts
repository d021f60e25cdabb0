import assert from "node:assert/strict";
import type { TokenSourceConfig } from "../../src/config/config.ts";
import { createTokenSources } from "../../src/credentials/create.ts";
import {
  authorizedUser,
  type CredentialFolder,
  createCredentialFolder,
  createEnvironment,
  impersonated,
  serviceAccountKey,
} from "../fakes/token-credentials.ts";
import {
  ACCOUNT,
  CLIENT_SECRET,
  REFRESH_TOKEN,
  startTokenEndpoint,
  type TokenEndpoint,
  type Trouble,
  USER,
} from "../fakes/token-endpoint.ts";
import {
  type CreateSubject,
  type TokenSourceUpstream,
  testTokenSource,
  testTokenSourceUpstream,
} from "./token-source-contract.ts";

const TARGET = "target@prod.iam.gserviceaccount.com";

interface Kind {
  readonly name: string;
  readonly principal: string | undefined;
  /** Ends of the paths that tokens are asked at; undefined where nobody is asked. */
  readonly path: RegExp | undefined;
  readonly headers?: Record<string, string>;
  sources(endpoint: TokenEndpoint, folder: CredentialFolder): Promise<Record<string, TokenSourceConfig>>;
}

const KINDS: readonly Kind[] = [
  {
    name: "access_token",
    principal: undefined,
    path: undefined,
    sources: async (_, folder) => ({
      subject: { type: "access_token", token: await folder.write("token", "ya29.canary-opaque-token\n") },
    }),
  },
  {
    name: "service_account, self-signed",
    principal: ACCOUNT,
    path: undefined,
    sources: async (endpoint, folder) => ({ subject: await serviceAccount(endpoint, folder, "self_signed") }),
  },
  {
    name: "service_account, OAuth grant",
    principal: ACCOUNT,
    path: /^\/token$/,
    sources: async (endpoint, folder) => ({ subject: await serviceAccount(endpoint, folder, "oauth") }),
  },
  {
    name: "authorized_user",
    principal: USER,
    path: /^\/token$/,
    sources: async (_, folder) => ({
      subject: { type: "authorized_user", credential: await folder.write("user.json", authorizedUser()) },
    }),
  },
  {
    name: "impersonated_service_account over a source",
    principal: TARGET,
    path: /:generateAccessToken$/,
    sources: async (endpoint, folder) => ({
      base: await serviceAccount(endpoint, folder, "self_signed"),
      subject: {
        type: "impersonated_service_account",
        source: "base",
        target: TARGET,
        delegates: ["via@prod.iam.gserviceaccount.com"],
        lifetimeMs: 600_000,
      },
    }),
  },
  {
    name: "impersonated_service_account from a file",
    principal: TARGET,
    path: /:generateAccessToken$/,
    sources: async (endpoint, folder) => ({
      subject: {
        type: "impersonated_service_account",
        credential: await folder.write("i.json", impersonated(serviceAccountKey(endpoint.privateKeyPem), TARGET)),
      },
    }),
  },
  {
    name: "metadata",
    principal: ACCOUNT,
    path: /\/token\?/,
    headers: { "metadata-flavor": "Google" },
    sources: async () => ({ subject: { type: "metadata", account: "default", timeoutMs: 5000 } }),
  },
  {
    name: "default, at a metadata server",
    principal: ACCOUNT,
    path: /\/token\?/,
    headers: { "metadata-flavor": "Google" },
    sources: async () => ({ subject: { type: "default" } }),
  },
];

async function serviceAccount(
  endpoint: TokenEndpoint,
  folder: CredentialFolder,
  grant: "self_signed" | "oauth",
): Promise<TokenSourceConfig> {
  const credential = await folder.write("key.json", serviceAccountKey(endpoint.privateKeyPem));
  return { type: "service_account", credential, grant };
}

const ECHO = "an answer that repeats what was sent";

function troubleFor(state: string, headers: Record<string, string>): Trouble | undefined {
  switch (state) {
    case "well":
      return undefined;
    case "down":
      return { status: 503, body: ECHO, headers };
    case "closing":
      return "close";
    case "hanging":
      return "hang";
    case "babbling":
      return { status: 200, body: "<html>hello</html>", headers };
    case "flooding":
      return { status: 200, body: "x".repeat(100_000), headers };
    case "redirecting":
      return { status: 302, body: ECHO, headers: { ...headers, location: "http://169.254.169.254/" } };
    default:
      return { status: 400, body: { error: "invalid_grant", error_description: ECHO }, headers };
  }
}

function createUpstream(endpoint: TokenEndpoint, path: RegExp, headers: Record<string, string>): TokenSourceUpstream {
  return {
    tokenRequests: () => endpoint.requests.filter((request) => path.test(request.path)).length,
    become(state) {
      endpoint.trouble = troubleFor(state, headers);
    },
    nextRequest: () => endpoint.nextRequest(),
  };
}

for (const kind of KINDS) {
  const createSubject: CreateSubject = async (clock) => {
    const endpoint = await startTokenEndpoint();
    const folder = await createCredentialFolder();
    const tokenSources = new Map(Object.entries(await kind.sources(endpoint, folder)));
    const environment = createEnvironment();
    const warn = (message: string) => assert.fail(`warned: ${message}`);
    const config = { tokenSources, google: endpoint.google };
    const { holders } = createTokenSources(config, environment, clock, warn, { random: () => 0 });
    const holder = holders.get("subject");
    assert.ok(holder !== undefined);
    const keyBody = endpoint.privateKeyPem.split("\n")[3];
    assert.ok(keyBody !== undefined);
    return {
      holder,
      principal: kind.principal,
      secrets: [keyBody, REFRESH_TOKEN, CLIENT_SECRET, "ya29.canary", ECHO],
      upstream: kind.path === undefined ? undefined : createUpstream(endpoint, kind.path, kind.headers ?? {}),
      async [Symbol.asyncDispose]() {
        await endpoint[Symbol.asyncDispose]();
        await folder[Symbol.asyncDispose]();
      },
    };
  };
  testTokenSource(kind.name, createSubject);
  if (kind.path !== undefined) testTokenSourceUpstream(kind.name, createSubject);
}
