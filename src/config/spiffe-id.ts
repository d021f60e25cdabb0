/** Longer ones must not be issued (SPIFFE-ID, section 2.3). */
const MAX_SPIFFE_ID_BYTES = 2048;
const MAX_TRUST_DOMAIN_BYTES = 255;

const SPIFFE_ID = /^spiffe:\/\/([a-z0-9._-]+)((?:\/[A-Za-z0-9._-]+)+)$/;

/**
 * Whether a text is the SPIFFE id of a workload, by the grammar of the SPIFFE-ID standard: lower case, no port, query,
 * fragment or percent-encoding, no empty or relative segments, and a path, which a trust domain's own id lacks.
 *
 * Nothing is normalised: two ids are the same if their bytes are.
 */
export function isSpiffeId(text: string): boolean {
  if (text.length > MAX_SPIFFE_ID_BYTES) return false;
  const [, trustDomain = "", path = ""] = SPIFFE_ID.exec(text) ?? [];
  if (trustDomain === "" || trustDomain.length > MAX_TRUST_DOMAIN_BYTES) return false;
  return path.split("/").every((segment) => segment !== "." && segment !== "..");
}
