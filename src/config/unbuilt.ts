import type { KeyPath } from "./issue.ts";

/**
 * What the format has and this version does not. Refused with these words rather than as unknown: who reads of `admin`
 * or `cache` in the documentation of a later version must not believe that it works here, and to pass over it
 * would leave open what the config means to close. Building one of these takes its line out.
 */
const UNBUILT_KEYS: Readonly<Record<string, readonly string[]>> = {
  "": ["admin"],
};

const RECORDS = new Set(["callers", "tokenSources"]);

/** Why a key is refused, if it is one that a later version has. */
export function findUnbuiltKey(parent: KeyPath, key: string): string | undefined {
  return UNBUILT_KEYS[toShape(parent)]?.includes(key) === true ? describe(key) : undefined;
}

function describe(what: string): string {
  return `this version of sops-keyd does not have \`${what}\`; take it out, or use a version that has it`;
}

/** `rules[].kms`, `tokenSources.*.type` */
function toShape(path: KeyPath): string {
  return path.reduce<string>((shape, part, index) => {
    if (typeof part === "number") return `${shape}[]`;
    const key = index === 1 && RECORDS.has(String(path[0])) ? "*" : part;
    return shape === "" ? key : `${shape}.${key}`;
  }, "");
}
