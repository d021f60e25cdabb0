import type { Reply } from "./routes.ts";

/** Google's canonical codes, as far as the emulator answers them: https://google.aip.dev/193 */
export type GoogleStatus =
  | "INVALID_ARGUMENT"
  | "FAILED_PRECONDITION"
  | "UNAUTHENTICATED"
  | "PERMISSION_DENIED"
  | "NOT_FOUND"
  | "ALREADY_EXISTS"
  | "RESOURCE_EXHAUSTED"
  | "INTERNAL"
  | "UNIMPLEMENTED";

const HTTP_CODES: Readonly<Record<GoogleStatus, number>> = {
  INVALID_ARGUMENT: 400,
  FAILED_PRECONDITION: 400,
  UNAUTHENTICATED: 401,
  PERMISSION_DENIED: 403,
  NOT_FOUND: 404,
  ALREADY_EXISTS: 409,
  RESOURCE_EXHAUSTED: 429,
  INTERNAL: 500,
  UNIMPLEMENTED: 501,
};

/** What an OAuth endpoint says: https://www.rfc-editor.org/rfc/rfc6749#section-5.2, and Google's additions. */
export type OAuthErrorCode =
  | "invalid_request"
  | "invalid_client"
  | "invalid_grant"
  | "invalid_scope"
  | "invalid_target"
  | "unauthorized_client"
  | "unsupported_grant_type";

/** A request that is answered with an error; the dispatcher sends the reply as it is. */
export class Refusal extends Error {
  override readonly name = "Refusal";
  readonly reply: Reply;

  constructor(message: string, reply: Reply) {
    super(message);
    this.reply = reply;
  }
}

export function googleRefusal(status: GoogleStatus, message: string, details: readonly object[] = []): Refusal {
  return new Refusal(message, googleErrorReply(HTTP_CODES[status], status, message, details));
}

export function googleErrorReply(
  code: number,
  status: string,
  message: string,
  details: readonly object[] = [],
): Reply {
  return { status: code, body: { error: { code, message, status, details } } };
}

/** A 403 as IAM words it, with the reason where clients look for it. */
export function permissionRefusal(permission: string, resource: string | undefined): Refusal {
  const on = resource === undefined ? "on resource" : `on resource '${resource}'`;
  return googleRefusal("PERMISSION_DENIED", `Permission '${permission}' denied ${on} (or it may not exist).`, [
    errorInfo("IAM_PERMISSION_DENIED", "iam.googleapis.com", { permission }),
  ]);
}

export function errorInfo(reason: string, domain: string, metadata: Readonly<Record<string, string>> = {}): object {
  return { "@type": "type.googleapis.com/google.rpc.ErrorInfo", reason, domain, metadata };
}

export function oauthRefusal(error: OAuthErrorCode, description: string): Refusal {
  const status = error === "invalid_client" || error === "unauthorized_client" ? 401 : 400;
  return new Refusal(description, { status, body: { error, error_description: description } });
}
