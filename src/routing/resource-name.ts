import { KeyServiceError, toPrintableLine } from "../core/errors.ts";

declare const brand: unique symbol;

/** `projects/P/locations/L/keyRings/R/cryptoKeys/K`, checked: safe to put into a URL path as it is. */
export type CryptoKeyName = string & { readonly [brand]: "CryptoKeyName" };

/** One id of a key's name: what may stand there, and what the characters of any pattern for it may be. */
export interface NamePart {
  readonly collection: string;
  /** For messages: `project id`. */
  readonly what: string;
  readonly id: RegExp;
  /** A single character of an id. */
  readonly character: RegExp;
}

// Ring and key ids: https://cloud.google.com/kms/docs/reference/rest/v1/projects.locations.keyRings/create
// `-` alone is what Google's APIs take for "any" in a name (https://google.aip.dev/159): it names no single key ring
// or key, so no rule can have meant it.
const ID = /^(?!-$)[A-Za-z0-9_-]{1,63}$/;
const ID_CHARACTER = /^[A-Za-z0-9_-]$/;

/** The ids of a key's name, in their order. */
export const NAME_PARTS: readonly NamePart[] = [
  {
    collection: "projects",
    what: "project id",
    // Project ids may be domain-scoped (`example.com:my-project`); Cloud KMS takes project numbers as well.
    id: /^(?:[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?:)?[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/,
    character: /^[a-z0-9.:-]$/,
  },
  {
    collection: "locations",
    what: "location",
    id: /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/,
    character: /^[a-z0-9-]$/,
  },
  { collection: "keyRings", what: "key ring id", id: ID, character: ID_CHARACTER },
  { collection: "cryptoKeys", what: "key id", id: ID, character: ID_CHARACTER },
];

/** Longer than any valid name; checked first, so that no pattern ever sees more. */
export const MAX_RESOURCE_NAME_LENGTH = 600;

export const KEY_NAME_FORM = "projects/PROJECT/locations/LOCATION/keyRings/RING/cryptoKeys/KEY";

const MAX_SHOWN_LENGTH = 120;

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
    problem: `${quote(text)} is not the name of a Cloud KMS key: ${problem}`,
    remedy: `write it as ${KEY_NAME_FORM}`,
  });
}

function findProblem(text: string): string | undefined {
  if (text === "") return "it is empty";
  if (text.length > MAX_RESOURCE_NAME_LENGTH) return `it is longer than ${MAX_RESOURCE_NAME_LENGTH} characters`;
  const segments = text.split("/");
  if (segments[8] === "cryptoKeyVersions") return "it names a key version; Cloud KMS picks the version itself";
  if (segments.length !== 8) return `it has ${segments.length} path segments instead of 8`;
  for (const [index, part] of NAME_PARTS.entries()) {
    if (segments[index * 2] !== part.collection) return `segment ${index * 2 + 1} is not "${part.collection}"`;
    if (!part.id.test(segments[index * 2 + 1] ?? "")) return `its ${part.what} is not valid`;
  }
  return undefined;
}

// Cut before it is cleaned: a client may send a name as large as a message may be.
function quote(text: string): string {
  const shown = text.length > MAX_SHOWN_LENGTH ? `${text.slice(0, MAX_SHOWN_LENGTH - 1)}…` : text;
  return `"${toPrintableLine(shown)}"`;
}

/** The four ids of a key's name: project, location, key ring, key. */
export function idsOf(key: CryptoKeyName): readonly string[] {
  return key.split("/").filter((_, index) => index % 2 === 1);
}
