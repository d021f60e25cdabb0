import { KeyServiceError, toPrintableLine } from "../core/errors.ts";

declare const brand: unique symbol;

/** `projects/P/locations/L/keyRings/R/cryptoKeys/K`, checked: safe to put into a URL path as it is. */
export type CryptoKeyName = string & { readonly [brand]: "CryptoKeyName" };

// Project ids may be domain-scoped (`example.com:my-project`); project numbers are accepted by Cloud KMS as well.
// https://cloud.google.com/kms/docs/reference/rest/v1/projects.locations.keyRings.cryptoKeys
const PROJECT = /^(?:[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?:)?[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;
const LOCATION = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;
const ID = /^[A-Za-z0-9_-]{1,63}$/;

/** Longer than any valid name; checked first, so that no pattern ever sees more. */
export const MAX_RESOURCE_NAME_LENGTH = 500;

export const KEY_NAME_FORM = "projects/PROJECT/locations/LOCATION/keyRings/RING/cryptoKeys/KEY";

const COLLECTIONS = ["projects", "locations", "keyRings", "cryptoKeys"] as const;
const SEGMENT_RULES = [
  { pattern: PROJECT, what: "project id" },
  { pattern: LOCATION, what: "location" },
  { pattern: ID, what: "key ring id" },
  { pattern: ID, what: "key id" },
] as const;

/**
 * The sops client sends `resource_id` as it stands in the file, unchecked: `../../evil?x=1` arrives as it is. This
 * is the one gate between that text and a URL.
 *
 * @throws KeyServiceError `key_name_invalid`
 */
export function parseCryptoKeyName(text: string): CryptoKeyName {
  const problem = findProblem(text);
  if (problem === undefined) return text as CryptoKeyName;
  throw new KeyServiceError("key_name_invalid", {
    problem: `"${toPrintableLine(text).slice(0, 120)}" is not the name of a Cloud KMS key: ${problem}`,
    remedy: `write it as ${KEY_NAME_FORM}`,
  });
}

function findProblem(text: string): string | undefined {
  if (text === "") return "it is empty";
  if (text.length > MAX_RESOURCE_NAME_LENGTH) return `it is longer than ${MAX_RESOURCE_NAME_LENGTH} characters`;
  const segments = text.split("/");
  if (segments[8] === "cryptoKeyVersions") return "it names a key version; Cloud KMS picks the version itself";
  if (segments.length !== 8) return `it has ${segments.length} path segments instead of 8`;
  for (const [index, collection] of COLLECTIONS.entries()) {
    if (segments[index * 2] !== collection) return `segment ${index * 2 + 1} is not "${collection}"`;
    const rule = SEGMENT_RULES[index];
    if (rule?.pattern.test(segments[index * 2 + 1] ?? "") !== true) return `its ${rule?.what} is not valid`;
  }
  return undefined;
}

/** The location of a key: `europe-west1`, `global`. */
export function locationOf(key: CryptoKeyName): string {
  return key.split("/")[3] ?? "";
}
