import { KeyServiceError } from "../core/errors.ts";
import type { CredentialText } from "./credential-file.ts";
import { isRecord, parseObject } from "./token-errors.ts";

/**
 * A credential in Google's JSON form, not yet trusted in any field. Its content never gets into an error: fields are
 * named, not shown.
 */
export interface CredentialDocument {
  readonly type: string;
  readonly origin: string;
  /** @throws KeyServiceError `credential_rejected` where the field is missing, empty or no text */
  text(field: string): string;
  optionalText(field: string): string | undefined;
  optionalTexts(field: string): readonly string[];
  /** An `https:` or `http:` URL; whether it may be used is for the endpoint policy to say. */
  optionalUrl(field: string): URL | undefined;
  /** A credential inside this one. */
  document(field: string): CredentialDocument;
  /** The error of a field: says where, and what is wrong with it. */
  fault(field: string, wrong: string): KeyServiceError;
}

/** @throws KeyServiceError `credential_rejected` */
export function parseCredential({ text, origin }: CredentialText): CredentialDocument {
  const fields = parseObject(text);
  if (fields !== undefined) return createDocument(fields, origin, "");
  throw new KeyServiceError("credential_rejected", {
    problem: `the credential in ${origin} is not a JSON object`,
    remedy: "name a credential file as Google issues it",
  });
}

function createDocument(fields: Readonly<Record<string, unknown>>, origin: string, prefix: string): CredentialDocument {
  const fault = (field: string, wrong: string) =>
    new KeyServiceError("credential_rejected", {
      problem: `the credential in ${origin} is not usable: "${prefix}${field}" ${wrong}`,
      remedy: "download or create the credential again",
    });
  const optionalText = (field: string): string | undefined => {
    const value = fields[field];
    if (value === undefined || value === null || value === "") return undefined;
    if (typeof value !== "string") throw fault(field, "is not text");
    return value;
  };
  const text = (field: string): string => {
    const value = optionalText(field);
    if (value === undefined) throw fault(field, "is missing");
    return value;
  };
  return {
    type: text("type"),
    origin,
    text,
    optionalText,
    optionalTexts(field) {
      const value = fields[field] ?? [];
      const isTexts = Array.isArray(value) && value.every((each) => typeof each === "string" && each !== "");
      if (!isTexts) throw fault(field, "is not a list of texts");
      return value;
    },
    optionalUrl(field) {
      const value = optionalText(field);
      if (value === undefined) return undefined;
      const url = URL.parse(value);
      if (url === null || !/^https?:$/.test(url.protocol)) throw fault(field, "is not a URL");
      return url;
    },
    document(field) {
      const value = fields[field];
      if (!isRecord(value)) throw fault(field, "is not an object");
      return createDocument(value, origin, `${prefix}${field}.`);
    },
    fault,
  };
}

/** A credential of another universe would be sent to hosts that do not know it, or should not see it. */
export function requireUniverse(document: CredentialDocument, universeDomain: string): void {
  const universe = document.optionalText("universe_domain") ?? "googleapis.com";
  if (universe === universeDomain) return;
  throw new KeyServiceError("credential_rejected", {
    problem: `the credential in ${document.origin} is of another universe than the config's ${universeDomain}`,
    remedy: "set google.universeDomain in the config to the credential's universe_domain",
  });
}
