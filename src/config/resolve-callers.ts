import { type CallerConfig, type CallerShape, PIN_PREFIX } from "./callers.ts";

/** By name. */
export function resolveCallers(shapes: Readonly<Record<string, CallerShape>>): ReadonlyMap<string, CallerConfig> {
  return new Map(Object.entries(shapes).map(([name, shape]) => [name, resolveCaller(shape)]));
}

function resolveCaller({ unix, spiffe, dns, publicKey }: CallerShape): CallerConfig {
  if (unix !== undefined) return { kind: "unix", uid: unix.uid, gid: unix.gid };
  if (spiffe !== undefined) return { kind: "spiffe", spiffeId: spiffe };
  if (dns !== undefined) return { kind: "dns", name: dns };
  if (publicKey !== undefined) return { kind: "public_key", publicKeySha256: publicKey.slice(PIN_PREFIX.length) };
  throw new TypeError("a caller passed the checks without a proof");
}
