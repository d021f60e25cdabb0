import { EMULATED_PROJECT, EMULATED_PROJECT_NUMBER, type Identities } from "./identities.ts";
import { tokenReply } from "./oauth-routes.ts";
import type { Call, Reply, Route } from "./routes.ts";
import { CLOUD_PLATFORM_SCOPE, type TokenRegistry } from "./token-registry.ts";

export interface MetadataDependencies {
  readonly identities: Identities;
  readonly tokens: TokenRegistry;
  readonly tokenLifetimeMs: number;
  /** Email address of the account that is attached as `default`. */
  readonly defaultAccount: string;
}

const HEADERS = { "Metadata-Flavor": "Google", Server: "Metadata Server for VM" };
const ACCOUNTS = "/computeMetadata/v1/instance/service-accounts";

/** The metadata server of a virtual machine: https://cloud.google.com/compute/docs/metadata/overview */
export function createMetadataRoutes(dependencies: MetadataDependencies): readonly Route[] {
  const { identities, tokens, tokenLifetimeMs, defaultAccount } = dependencies;

  const emailFor = (call: Call): string | undefined => {
    const account = call.params["account"];
    if (account === undefined || account === "default") return defaultAccount;
    return identities.serviceAccounts.has(account) ? account : undefined;
  };

  const route = (path: string, answer: (call: Call, email: string) => Reply): Route => ({
    method: "GET",
    path: new RegExp(`^${path}$`),
    endpoint: path.endsWith("/token") ? "metadata.token" : "metadata.other",
    resource: emailFor,
    answer(call) {
      const refused = refuseForeign(call);
      if (refused !== undefined) return refused;
      const email = emailFor(call);
      if (email === undefined) return text(404, "The service account is not attached to this machine.\n");
      return { headers: HEADERS, ...answer(call, email) };
    },
  });

  const account = `${ACCOUNTS}/(?<account>[^/]+)`;
  return [
    // Clients look here to find out whether there is a metadata server at all; this one needs no header.
    {
      method: "GET",
      path: /^\/$/,
      endpoint: "metadata.other",
      resource: () => undefined,
      answer: () => text(200, "computeMetadata/\n"),
    },
    route("/computeMetadata/v1/instance/?", () => text(200, "service-accounts/\n")),
    route("/computeMetadata/v1/project/project-id", () => text(200, EMULATED_PROJECT)),
    route("/computeMetadata/v1/project/numeric-project-id", () => text(200, EMULATED_PROJECT_NUMBER)),
    route("/computeMetadata/v1/universe/universe-domain", () => text(200, "googleapis.com")),
    route(`${ACCOUNTS}/?`, () => text(200, listAccounts(identities))),
    route(`${account}/token`, (call, email) => {
      call.principal = email;
      const scopes = (call.request.query.get("scopes") ?? CLOUD_PLATFORM_SCOPE).split(",");
      return tokenReply(tokens.issue("metadata", email, scopes, tokenLifetimeMs).token, tokenLifetimeMs);
    }),
    route(`${account}/email`, (_call, email) => text(200, email)),
    route(`${account}/scopes`, () => text(200, `${CLOUD_PLATFORM_SCOPE}\n`)),
    route(`${account}/?`, (call, email) => {
      if (call.request.query.get("recursive") !== "true") return text(200, "aliases\nemail\nscopes\ntoken\n");
      const aliases = email === defaultAccount ? ["default"] : [];
      return { status: 200, body: { aliases, email, scopes: [CLOUD_PLATFORM_SCOPE] } };
    }),
  ];
}

/** What keeps a browser, or a proxy that was tricked, from asking: both headers are Google's own rules. */
function refuseForeign({ request }: Call): Reply | undefined {
  if (request.headers["metadata-flavor"] !== "Google") return text(403, "Missing Metadata-Flavor:Google header.\n");
  if (request.headers["x-forwarded-for"] !== undefined) return text(403, "X-Forwarded-For is not allowed.\n");
  return undefined;
}

function listAccounts({ serviceAccounts }: Identities): string {
  return ["default", ...serviceAccounts.keys()].map((name) => `${name}/\n`).join("");
}

function text(status: number, body: string): Reply {
  return { status, headers: { ...HEADERS, "Content-Type": "application/text" }, body };
}
