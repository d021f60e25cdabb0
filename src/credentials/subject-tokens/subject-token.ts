import { KeyServiceError } from "../../core/errors.ts";
import { type JsonObject, parseJsonObject } from "../../core/json.ts";
import { parseJwtPart } from "../../core/jwt.ts";
import { Secret } from "../../core/secret.ts";
import type { CredentialFields } from "../credential-document.ts";
import type { SourceContext } from "../source-context.ts";
import type { ClientCertificate } from "../token-request.ts";

/** What is exchanged at the security token service. */
export interface SubjectToken {
  readonly token: Secret;
  /** How it was come by, for the token's steps: `subject token from file /run/token`. */
  readonly step: string;
  /** Who it says it speaks for, where that can be read from it: what pools map to the subject unless told otherwise. */
  readonly subject?: string;
  /** To be shown to the security token service. */
  readonly clientCertificate?: ClientCertificate;
}

/** What the subject token is for. */
export interface SubjectTokenPurpose {
  /** Name of the token source, for errors. */
  readonly source: string;
  readonly audience: string;
  /** `urn:ietf:params:…` */
  readonly tokenType: string;
  /** The service account that is impersonated afterwards. */
  readonly impersonated: string | undefined;
}

/**
 * Gets one subject token, anew each time.
 *
 * @throws KeyServiceError any credential code but `credential_missing`, or the signal's reason
 */
export type GetSubjectToken = (
  purpose: SubjectTokenPurpose,
  context: SourceContext,
  signal: AbortSignal,
) => Promise<SubjectToken>;

export const JWT_TYPES: readonly string[] = [
  "urn:ietf:params:oauth:token-type:jwt",
  "urn:ietf:params:oauth:token-type:id_token",
];
export const SAML_TYPE = "urn:ietf:params:oauth:token-type:saml2";
export const AWS_TYPE = "urn:ietf:params:aws:token-type:aws4_request";
export const MTLS_TYPE = "urn:ietf:params:oauth:token-type:mtls";

/** Where in a file's content or an answer the token stands. */
export interface SubjectTokenFormat {
  /** Undefined: the whole text is the token. */
  readonly fieldName: string | undefined;
}

export function parseFormat(origin: CredentialFields): SubjectTokenFormat {
  const format = origin.optionalFields("format");
  const type = format?.optionalText("type") ?? "text";
  if (format === undefined || type === "text") return { fieldName: undefined };
  if (type !== "json") throw format.fault("type", "is neither text nor json");
  return { fieldName: format.text("subject_token_field_name") };
}

/** The token in a text; undefined where the text does not hold one. */
export function extractToken(text: string, { fieldName }: SubjectTokenFormat): string | undefined {
  const token = fieldName === undefined ? text.trim() : parseJsonObject(text)?.[fieldName];
  return typeof token === "string" && token !== "" ? token : undefined;
}

/**
 * A token of the type that is expected. Only the form of a JWT is looked at: whether it is good is for the security
 * token service to say, which has the keys and the right time.
 *
 * @param where it came from, as errors name it: `file /run/token`
 */
export function toSubjectToken(token: string | undefined, tokenType: string, where: string): SubjectToken {
  const step = `subject token from ${where}`;
  if (token !== undefined && !JWT_TYPES.includes(tokenType)) return { token: new Secret(token), step };
  const claims = token === undefined ? undefined : parseClaims(token);
  if (token === undefined || claims === undefined) {
    throw new KeyServiceError("credential_rejected", {
      problem: `the subject token from ${where} is malformed: ${token === undefined ? "there is none" : "it is not a JWT"}`,
      remedy: "see what writes it, and the format that the credential file states",
    });
  }
  const subject = claims["sub"];
  const isShowable = typeof subject === "string" && /^[\x21-\x7e]{1,127}$/.test(subject);
  return { token: new Secret(token), step, ...(isShowable && { subject }) };
}

function parseClaims(token: string): JsonObject | undefined {
  const payload = /^[\w-]+\.([\w-]+)\.[\w-]+$/.exec(token)?.[1];
  return payload === undefined ? undefined : parseJwtPart(payload);
}
