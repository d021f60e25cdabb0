/** A caller that is known by a JWT (RFC 7519) which its issuer signed. */
export interface JwtCallerConfig {
  readonly kind: "jwt";
  /** As the token's `iss` has it, to the letter. */
  readonly issuer: string;
  /** Must be among the token's `aud`. */
  readonly audience: string;
  /** By claim; the token must have each of these, with one of the values. Never empty. */
  readonly claims: ReadonlyMap<string, readonly ClaimValue[]>;
  readonly algorithms: readonly JwtAlgorithm[];
  readonly keys: JwtKeysConfig;
  /** After its `iat` a token is taken for no longer than this, whatever its `exp`. */
  readonly maxAgeMs: number;
}

/** In text, a star stands for any run of characters. */
export type ClaimValue = string | number | boolean;

/** Where an issuer's public keys come from. */
export type JwtKeysConfig =
  | {
      /** A JSON Web Key Set (RFC 7517); read again when it changes. */
      readonly kind: "file";
      readonly path: string;
    }
  | {
      /** The issuer's OpenID Connect discovery document. */
      readonly kind: "discovery";
      /** PEM file with CAs that are trusted besides Node.js' own. */
      readonly caFile: string | undefined;
      /** File with a bearer token that the issuer wants to see; read at each request. */
      readonly tokenFile: string | undefined;
    };

/**
 * Signatures by a private key, of which we have the public half (RFC 7518, RFC 8037, RFC 9864). Never `none`, and none
 * with a shared key: who can verify those can also make them.
 */
export const JWT_ALGORITHMS = [
  "RS256",
  "RS384",
  "RS512",
  "PS256",
  "PS384",
  "PS512",
  "ES256",
  "ES384",
  "ES512",
  "EdDSA",
  "Ed25519",
] as const;

export type JwtAlgorithm = (typeof JWT_ALGORITHMS)[number];
