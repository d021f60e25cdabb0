import { type CallerConfig, type CallerShape, type JwtShape, PIN_PREFIX } from "./callers.ts";
import { DEFAULT_JWT_MAX_AGE_MS } from "./defaults.ts";
import { JWT_ALGORITHMS, type JwtCallerConfig, type JwtKeysConfig } from "./jwt-caller.ts";

/** By name. */
export function resolveCallers(
  shapes: Readonly<Record<string, CallerShape>>,
  absolute: (path: string) => string,
): ReadonlyMap<string, CallerConfig> {
  return new Map(Object.entries(shapes).map(([name, shape]) => [name, resolveCaller(shape, absolute)]));
}

function resolveCaller(
  { unix, spiffe, dns, publicKey, jwt }: CallerShape,
  absolute: (path: string) => string,
): CallerConfig {
  if (unix !== undefined) return { kind: "unix", uid: unix.uid, gid: unix.gid };
  if (spiffe !== undefined) return { kind: "spiffe", spiffeId: spiffe };
  if (dns !== undefined) return { kind: "dns", name: dns };
  if (publicKey !== undefined) return { kind: "public_key", publicKeySha256: publicKey.slice(PIN_PREFIX.length) };
  if (jwt !== undefined) return resolveJwt(jwt, absolute);
  throw new TypeError("a caller passed the checks without a proof");
}

function resolveJwt(jwt: JwtShape, absolute: (path: string) => string): JwtCallerConfig {
  const claims = Object.entries(jwt.claims);
  return {
    kind: "jwt",
    issuer: jwt.issuer,
    audience: jwt.audience,
    claims: new Map(claims.map(([name, value]) => [name, Array.isArray(value) ? value : [value]])),
    algorithms: jwt.algorithms ?? JWT_ALGORITHMS,
    keys: resolveKeys(jwt, absolute),
    maxAgeMs: jwt.maxAge ?? DEFAULT_JWT_MAX_AGE_MS,
  };
}

function resolveKeys({ keys, caFile, tokenFile }: JwtShape, absolute: (path: string) => string): JwtKeysConfig {
  if (keys !== undefined) return { kind: "file", path: absolute(keys) };
  return {
    kind: "discovery",
    caFile: caFile === undefined ? undefined : absolute(caFile),
    tokenFile: tokenFile === undefined ? undefined : absolute(tokenFile),
  };
}
