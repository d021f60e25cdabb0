import { KeyServiceError } from "../core/errors.ts";
import { isJsonObject, parseJsonObject } from "../core/json.ts";
import type { CredentialText } from "./credential-file.ts";

/** One object of a credential, not yet trusted in any field. Content never gets into an error: fields are named. */
export interface CredentialFields {
  readonly origin: string;
  /** @throws KeyServiceError `credential_rejected` where the field is missing, empty or no text */
  text(field: string): string;
  optionalText(field: string): string | undefined;
  optionalTexts(field: string): readonly string[];
  /** An `https:` or `http:` URL; whether it may be used is for the endpoint policy to say. */
  optionalUrl(field: string): URL | undefined;
  /** A whole number. */
  optionalCount(field: string): number | undefined;
  optionalFlag(field: string): boolean;
  /** Texts by name, such as headers; empty where the field is missing. */
  optionalTextMap(field: string): Readonly<Record<string, string>>;
  /** An object inside this one. */
  optionalFields(field: string): CredentialFields | undefined;
  /** The error of a field: says where, and what is wrong with it. */
  fault(field: string, wrong: string): KeyServiceError;
}

/** A credential in Google's JSON form. */
export interface CredentialDocument extends CredentialFields {
  readonly type: string;
  /** A credential inside this one. */
  document(field: string): CredentialDocument;
}

/** @throws KeyServiceError `credential_rejected` */
export function parseCredential({ text, origin }: CredentialText): CredentialDocument {
  const fields = parseJsonObject(text);
  if (fields !== undefined) return createDocument(fields, origin, "");
  throw new KeyServiceError("credential_rejected", {
    problem: `the credential in ${origin} is not a JSON object`,
    remedy: "name a credential file as Google issues it",
  });
}

type RawFields = Readonly<Record<string, unknown>>;

function createDocument(raw: RawFields, origin: string, prefix: string): CredentialDocument {
  const fields = createFields(raw, origin, prefix);
  return {
    ...fields,
    type: fields.text("type"),
    document(field) {
      const value = raw[field];
      if (!isJsonObject(value)) throw fields.fault(field, "is not an object");
      return createDocument(value, origin, `${prefix}${field}.`);
    },
  };
}

function createFields(raw: RawFields, origin: string, prefix: string): CredentialFields {
  const fault = (field: string, wrong: string) =>
    new KeyServiceError("credential_rejected", {
      problem: `the credential in ${origin} is not usable: "${prefix}${field}" ${wrong}`,
      remedy: "download or create the credential again",
    });
  /** Undefined where it is missing. */
  const optional = <T>(field: string, is: (value: unknown) => value is T, wrong: string): T | undefined => {
    const value = raw[field];
    if (value === undefined || value === null || value === "") return undefined;
    if (!is(value)) throw fault(field, wrong);
    return value;
  };
  const optionalText = (field: string) => optional(field, isText, "is not text");
  return {
    origin,
    optionalText,
    text(field) {
      const value = optionalText(field);
      if (value === undefined) throw fault(field, "is missing");
      return value;
    },
    optionalTexts: (field) => optional(field, isTexts, "is not a list of texts") ?? [],
    optionalUrl(field) {
      const value = optionalText(field);
      if (value === undefined) return undefined;
      const url = URL.parse(value);
      if (url === null || !/^https?:$/.test(url.protocol)) throw fault(field, "is not a URL");
      return url;
    },
    optionalCount: (field) => optional(field, isCount, "is not a whole number"),
    optionalFlag: (field) => optional(field, isFlag, "is neither true nor false") ?? false,
    optionalTextMap: (field) => optional(field, isTextMap, "is not a mapping of texts") ?? {},
    optionalFields(field) {
      const value = optional(field, isJsonObject, "is not an object");
      return value === undefined ? undefined : createFields(value, origin, `${prefix}${field}.`);
    },
    fault,
  };
}

const isText = (value: unknown): value is string => typeof value === "string";
const isFlag = (value: unknown): value is boolean => typeof value === "boolean";
const isCount = (value: unknown): value is number => Number.isSafeInteger(value);
const isTexts = (value: unknown): value is string[] =>
  Array.isArray(value) && value.every((each) => isText(each) && each !== "");
const isTextMap = (value: unknown): value is Record<string, string> =>
  isJsonObject(value) && Object.values(value).every(isText);

/** A credential of another universe would be sent to hosts that do not know it, or should not see it. */
export function requireUniverse(document: CredentialDocument, universeDomain: string): void {
  const universe = document.optionalText("universe_domain") ?? "googleapis.com";
  if (universe === universeDomain) return;
  throw new KeyServiceError("credential_rejected", {
    problem: `the credential in ${document.origin} is of another universe than the config's ${universeDomain}`,
    remedy: "set google.universeDomain in the config to the credential's universe_domain",
  });
}
