import { z } from "zod";
import type { AccessLists } from "./access.ts";
import type { Authenticate } from "./authentication.ts";
import { parseJsonBody } from "./body.ts";
import type { Identities } from "./identities.ts";
import { toTimestamp } from "./kms-json.ts";
import { googleRefusal, permissionRefusal } from "./refusals.ts";
import { type Call, parameter, type Reply, type Route } from "./routes.ts";
import type { TokenRegistry } from "./token-registry.ts";

export interface IamDependencies {
  readonly access: AccessLists;
  readonly authenticate: Authenticate;
  readonly identities: Identities;
  readonly tokens: TokenRegistry;
  /** Undefined: what is asked for, within Google's bounds. */
  readonly maxLifetimeMs: number | undefined;
  /** Accounts must have been registered. */
  readonly strict: boolean;
}

const PERMISSION = "iam.serviceAccounts.getAccessToken";
const MAX_DELEGATES = 10;
const MAX_LIFETIME_S = 3600;
const EXTENDED_LIFETIME_S = 43_200;

const requestShape = z.strictObject({
  name: z.string().exactOptional(),
  delegates: z.array(z.string()).max(MAX_DELEGATES).default([]),
  scope: z.array(z.string()).default([]),
  lifetime: z
    .string()
    .regex(/^\d{1,9}(?:\.\d{1,9})?s$/, "Illegal duration format; duration must end with 's'")
    .default(`${MAX_LIFETIME_S}s`),
});

/** https://cloud.google.com/iam/docs/reference/credentials/rest/v1/projects.serviceAccounts/generateAccessToken */
export function createIamRoutes(dependencies: IamDependencies): readonly Route[] {
  return [
    {
      method: "POST",
      path: /^\/v1\/projects\/-\/serviceAccounts\/(?<email>[^/:]+):generateAccessToken$/,
      endpoint: "iam.generateAccessToken",
      resource: (call) => parameter(call, "email"),
      answer: (call) => generateAccessToken(call, dependencies),
    },
  ];
}

async function generateAccessToken(call: Call, dependencies: IamDependencies): Promise<Reply> {
  const { access, authenticate, tokens, maxLifetimeMs = Number.POSITIVE_INFINITY } = dependencies;
  const caller = await authenticate(call, "iamcredentials");
  const target = parameter(call, "email");
  const { delegates, scope, lifetime } = parseJsonBody(call.request, requestShape);
  if (scope.length === 0) throw googleRefusal("INVALID_ARGUMENT", "The request must have a scope.");
  const extended = access.impersonation().get(target)?.extendedLifetime === true;
  const lifetimeMs = Math.min(parseLifetimeMs(lifetime, extended), maxLifetimeMs);
  const hops = [...delegates.map(parseDelegate), target];
  requireAccount(target, dependencies);
  walk(caller, hops, access);
  const { token, expiresAtMs } = tokens.issue("iam", target, scope, lifetimeMs);
  return { status: 200, body: { accessToken: token, expireTime: toTimestamp(expiresAtMs).replace(/\.\d+Z$/, "Z") } };
}

/** Each may impersonate the next: the caller the first delegate, that one the second, the last one the target. */
function walk(caller: string, hops: readonly string[], access: AccessLists): void {
  let current = caller;
  for (const hop of hops) {
    if (!access.mayImpersonate(current, hop)) throw permissionRefusal(PERMISSION, undefined);
    current = hop;
  }
}

function requireAccount(email: string, { identities, strict }: IamDependencies): void {
  const couldExist = !strict && /^[^@\s]+@[^@\s]+\.gserviceaccount\.com$/.test(email);
  if (couldExist || identities.serviceAccounts.has(email)) return;
  throw googleRefusal("NOT_FOUND", `Not found; Gaia id not found for email ${email}`);
}

function parseDelegate(name: string): string {
  const email = /^projects\/-\/serviceAccounts\/([^/]+)$/.exec(name)?.[1];
  if (email !== undefined) return email;
  throw googleRefusal(
    "INVALID_ARGUMENT",
    "Invalid form of delegate: it must be projects/-/serviceAccounts/ACCOUNT_EMAIL.",
  );
}

function parseLifetimeMs(text: string, extended: boolean): number {
  const seconds = Number.parseFloat(text);
  const limit = extended ? EXTENDED_LIFETIME_S : MAX_LIFETIME_S;
  if (seconds > 0 && seconds <= limit) return seconds * 1000;
  throw googleRefusal(
    "INVALID_ARGUMENT",
    `The access token lifetime cannot exceed ${limit} seconds, and must be more than 0.`,
  );
}
