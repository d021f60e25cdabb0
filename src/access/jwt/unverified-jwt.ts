import { parseJwtPart } from "../../core/jwt.ts";

/** What a JWT says of itself, before anything of it is verified: good for finding keys, and for knowing when to look for another. */
export interface UnverifiedJwt {
  readonly algorithm: string;
  readonly keyId: string | undefined;
  readonly issuer: string;
  /** Its `exp`, milliseconds since the Unix epoch; undefined where it has none. */
  readonly expiresAtMs: number | undefined;
}

/** Twice what the longest tokens of CI systems and clusters have; what is longer is not even decoded. */
export const MAX_TOKEN_LENGTH: number = 16 * 1024;

const PARTS = /^([\w-]+)\.([\w-]+)\.([\w-]*)$/;
const TYPES: ReadonlySet<unknown> = new Set([undefined, "jwt", "at+jwt", "application/jwt", "application/at+jwt"]);

/** What a token says of itself; or in words why it cannot be one that is taken. */
export function readUnverifiedJwt(token: string): UnverifiedJwt | string {
  if (token.length > MAX_TOKEN_LENGTH) return `it has ${token.length} characters, more than ${MAX_TOKEN_LENGTH}`;
  const [, first = "", second = ""] = PARTS.exec(token) ?? [];
  const header = parseJwtPart(first);
  const claims = parseJwtPart(second);
  if (header === undefined || claims === undefined) return "it is not a signed JWT";
  const fault = findHeaderFault(header);
  if (fault !== undefined) return fault;
  const { alg, kid }: Header = header;
  const { iss, exp }: Claims = claims;
  if (typeof iss !== "string" || iss === "") return "it does not say who issued it";
  return {
    algorithm: String(alg),
    keyId: typeof kid === "string" ? kid : undefined,
    issuer: iss,
    expiresAtMs: typeof exp === "number" && Number.isFinite(exp) ? exp * 1_000 : undefined,
  };
}

interface Header {
  readonly alg?: unknown;
  readonly kid?: unknown;
  readonly typ?: unknown;
  readonly crit?: unknown;
}

interface Claims {
  readonly iss?: unknown;
  readonly exp?: unknown;
}

function findHeaderFault({ alg, kid, typ, crit }: Header): string | undefined {
  if (typeof alg !== "string") return "its header names no algorithm";
  // RFC 7515 4.1.11: what is critical must be understood, and there is none that we do.
  if (crit !== undefined) return "its header has critical extensions, of which none is known here";
  if (kid !== undefined && typeof kid !== "string") return "its header has a key id that is not text";
  const isKnownType = TYPES.has(typeof typ === "string" ? typ.toLowerCase() : typ);
  return isKnownType ? undefined : "its header says that it is something else than a JWT";
}
