import type { JSONWebKeySet } from "jose";
import { z } from "zod";
import type { AccessGrant, ImpersonationPolicy } from "./access.ts";
import type { AwsKeyRequest, EmulatorAdmin, IssuerRequest, SubjectTokenRequest } from "./admin.ts";
import { parseJsonBody } from "./body.ts";
import type { FaultSpec } from "./faults.ts";
import { KEY_PATH } from "./kms-paths.ts";
import { isLoopbackHeader } from "./loopback.ts";
import { googleRefusal, Refusal } from "./refusals.ts";
import { type EmulatorRequest, findRoute, parameter, type Reply } from "./routes.ts";

interface AdminCall {
  readonly request: EmulatorRequest;
  readonly params: Readonly<Record<string, string>>;
}

interface AdminRoute {
  readonly method: string;
  readonly path: RegExp;
  readonly answer: (call: AdminCall) => Promise<Reply>;
}

const faultTarget = {
  endpoint: z.literal([
    "*",
    "kms.encrypt",
    "kms.decrypt",
    "kms.keyRings",
    "kms.cryptoKeys",
    "kms.cryptoKeyVersions",
    "oauth.token",
    "sts.token",
    "sts.oauthtoken",
    "gdch.token",
    "iam.generateAccessToken",
    "metadata.token",
    "metadata.other",
    "workload.subjectToken",
    "aws.imds",
  ]),
  resource: z.string().exactOptional(),
  times: z.int().positive().exactOptional(),
};
const httpCode = z.int().min(200).max(599);
const faultShape: z.ZodType<FaultSpec> = z.discriminatedUnion("kind", [
  z.strictObject({ ...faultTarget, kind: z.literal("latency"), ms: z.number().positive().max(3_600_000) }),
  z.strictObject({
    ...faultTarget,
    kind: z.literal("status"),
    code: httpCode,
    body: z.union([z.string(), z.record(z.string(), z.unknown())]).exactOptional(),
    retryAfter: z.int().nonnegative().exactOptional(),
  }),
  z.strictObject({ ...faultTarget, kind: z.literal("html"), code: httpCode.exactOptional() }),
  z.strictObject({
    ...faultTarget,
    kind: z.literal(["hang", "reset", "truncate", "corrupt", "wrong-crc", "wrong-name", "empty", "unverified"]),
  }),
]);
const accessShape: z.ZodType<{ allow: AccessGrant[] }> = z.strictObject({
  allow: z.array(
    z.strictObject({ principals: z.array(z.string()), operations: z.array(z.literal(["encrypt", "decrypt"])) }),
  ),
});
const impersonationShape: z.ZodType<ImpersonationPolicy> = z.strictObject({
  tokenCreators: z.array(z.string()).exactOptional(),
  extendedLifetime: z.boolean().exactOptional(),
});
const issuerShape: z.ZodType<IssuerRequest> = z.strictObject({
  issuer: z.string().min(1),
  jwks: z.custom<JSONWebKeySet>((value) => typeof value === "object" && value !== null).exactOptional(),
  audiences: z.array(z.string()).exactOptional(),
});
const subjectTokenShape: z.ZodType<SubjectTokenRequest> = z.strictObject({
  subject: z.string().min(1),
  issuer: z.string().exactOptional(),
  audience: z.string().exactOptional(),
  lifetimeMs: z.number().exactOptional(),
  claims: z.record(z.string(), z.unknown()).exactOptional(),
});
const principalShape = z.strictObject({ principal: z.string().exactOptional() });
const revokeShape = z.strictObject({ principal: z.string().min(1) });
const accountShape = z.strictObject({ email: z.email() });
const providerShape = z.strictObject({ audience: z.string().min(1), deleted: z.boolean() });
const awsKeyShape: z.ZodType<AwsKeyRequest> = z.strictObject({
  accessKeyId: z.string().regex(/^\w{1,128}$/),
  secretAccessKey: z.string().min(1),
  sessionToken: z.string().exactOptional(),
  arn: z.string().min(1),
});
const authorityShape = z.strictObject({ certificate: z.string() });
const publicKeyShape = z.strictObject({ email: z.email(), keyId: z.string().min(1), publicKey: z.string() });

/** `/emulator/…`, for whoever runs on this machine; not for a web page that is open on it. */
export function createAdminAnswer(admin: EmulatorAdmin): (request: EmulatorRequest) => Promise<Reply> {
  const routes = createAdminRoutes(admin);
  return async (request) => {
    refuseBrowsers(request);
    const match = findRoute(routes, request.method, request.path.slice("/emulator".length));
    if (match === undefined) throw googleRefusal("NOT_FOUND", "The emulator's admin path has nothing here.");
    try {
      return await match.route.answer({ request, params: match.params });
    } catch (error) {
      if (error instanceof Refusal) throw error;
      // What was asked for could not be done: a key that is none, an issuer that is not known.
      const refusal = googleRefusal("INVALID_ARGUMENT", error instanceof Error ? error.message : "it failed");
      refusal.cause = error;
      throw refusal;
    }
  };
}

/**
 * A page in a browser can send requests to loopback. It always says its origin when it changes something; and one
 * that has pointed its own name here (DNS rebinding) still says that name in Host.
 */
function refuseBrowsers({ headers }: EmulatorRequest): void {
  if (headers.origin === undefined && isLoopbackHeader(headers.host ?? "")) return;
  throw googleRefusal("PERMISSION_DENIED", "The admin path takes no Origin, and only a loopback Host.");
}

function createAdminRoutes(admin: EmulatorAdmin): readonly AdminRoute[] {
  const key = new RegExp(`^/access/${KEY_PATH}$`);
  const account = /^\/impersonation\/(?<email>[^/]+)$/;
  return [
    query("GET", /^\/faults$/, () => ({ faults: admin.faults() })),
    query("POST", /^\/faults$/, ({ request }) => ({ id: admin.addFault(parseJsonBody(request, faultShape)) })),
    command("DELETE", /^\/faults(?:\/(?<id>[a-z0-9-]+))?$/, ({ params }) => admin.clearFaults(params["id"])),
    query("GET", /^\/access$/, () => ({ access: admin.access() })),
    command("PUT", key, (call) =>
      admin.setAccess(parameter(call, "key"), parseJsonBody(call.request, accessShape).allow),
    ),
    command("DELETE", key, (call) => admin.setAccess(parameter(call, "key"), undefined)),
    query("GET", /^\/impersonation$/, () => ({ impersonation: admin.impersonation() })),
    command("PUT", account, (call) =>
      admin.setImpersonation(parameter(call, "email"), parseJsonBody(call.request, impersonationShape)),
    ),
    command("DELETE", account, (call) => admin.setImpersonation(parameter(call, "email"), undefined)),
    query("GET", /^\/requests$/, () => admin.requests()),
    command("DELETE", /^\/requests$/, () => admin.resetRequests()),
    query("POST", /^\/tokens:expire$/, ({ request }) => ({
      expired: admin.expireTokens(parseJsonBody(request, principalShape).principal),
    })),
    command("POST", /^\/tokens:revoke$/, ({ request }) => admin.revoke(parseJsonBody(request, revokeShape).principal)),
    command("POST", /^\/access-token:rotate$/, () => admin.rotateAccessToken()),
    command("POST", /^\/issuers$/, ({ request }) => admin.addIssuer(parseJsonBody(request, issuerShape))),
    query("POST", /^\/subject-tokens$/, async ({ request }) => ({
      token: await admin.issueSubjectToken(parseJsonBody(request, subjectTokenShape)),
    })),
    query("POST", /^\/service-accounts$/, ({ request }) =>
      admin.createServiceAccountKey(parseJsonBody(request, accountShape).email),
    ),
    command("POST", /^\/providers$/, ({ request }) => {
      const { audience, deleted } = parseJsonBody(request, providerShape);
      admin.setProviderDeleted(audience, deleted);
    }),
    command("POST", /^\/aws-keys$/, ({ request }) => admin.addAwsKey(parseJsonBody(request, awsKeyShape))),
    command("POST", /^\/certificate-authorities$/, ({ request }) =>
      admin.addCertificateAuthority(parseJsonBody(request, authorityShape).certificate),
    ),
    command("POST", /^\/public-keys$/, ({ request }) => {
      const { email, keyId, publicKey } = parseJsonBody(request, publicKeyShape);
      admin.registerPublicKey(email, keyId, publicKey);
    }),
  ];
}

function query(method: string, path: RegExp, ask: (call: AdminCall) => object | Promise<object>): AdminRoute {
  return { method, path, answer: async (call) => ({ status: 200, body: await ask(call) }) };
}

/** A route that has nothing to tell but that it is done. */
function command(method: string, path: RegExp, run: (call: AdminCall) => void | Promise<void>): AdminRoute {
  return query(method, path, async (call) => {
    await run(call);
    return {};
  });
}
