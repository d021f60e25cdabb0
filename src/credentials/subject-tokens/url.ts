import { KeyServiceError } from "../../core/errors.ts";
import type { CredentialFields } from "../credential-document.ts";
import { toRefusalError } from "../token-errors.ts";
import { extractToken, type GetSubjectToken, JWT_TYPES, parseFormat, toSubjectToken } from "./subject-token.ts";
import { checkSubjectUrl } from "./subject-url-policy.ts";

/** Those that decide where a request goes or where it ends are ours to write. */
const RESERVED = /^(?:host|connection|content-length|transfer-encoding|upgrade|te|trailer|expect|proxy-.*)$/i;

/** A server that issues subject tokens: that of a CI system, or Azure's metadata service. */
export function parseUrlOrigin(origin: CredentialFields, hosts: readonly string[]): GetSubjectToken {
  const url = origin.optionalUrl("url");
  if (url === undefined) throw origin.fault("url", "is missing");
  const format = parseFormat(origin);
  const headers = parseHeaders(origin);
  return async ({ source, tokenType }, context, signal) => {
    checkSubjectUrl(url, { universeDomain: context.google.universeDomain, hosts }, `"url" in ${origin.origin}`);
    const response = await context.send({ method: "GET", url, headers }, signal);
    if (response.status !== 200) throw toRefusalError(response, url.host, { source, remedyFor });
    const token = extractToken(response.text, format);
    if (token === undefined || (JWT_TYPES.includes(tokenType) && token.startsWith("<"))) throw useless(url.host);
    return toSubjectToken(token, tokenType, url.host);
  };
}

function parseHeaders(origin: CredentialFields): Readonly<Record<string, string>> {
  const headers = origin.optionalTextMap("headers");
  for (const [name, value] of Object.entries(headers)) {
    const isGood = /^[\w!#$%&'*+.^`|~-]{1,100}$/.test(name) && /^[\x20-\x7e]{0,16384}$/.test(value);
    if (!isGood || RESERVED.test(name)) throw origin.fault("headers", "has one that cannot be sent");
  }
  return headers;
}

function remedyFor(): string {
  return "check the url and headers in the credential file: what they hold may have expired, as it does with a CI job";
}

function useless(host: string): KeyServiceError {
  return new KeyServiceError("credential_unavailable", {
    problem: `${host} answered without a subject token`,
    remedy: "check the url in the credential file, and the format that it states",
  });
}
