import { isLocalAddress, parseListenAddress } from "./address.ts";
import type { JwtShape } from "./callers.ts";
import type { PartialShape } from "./document.ts";
import { parseEndpoint } from "./endpoint.ts";
import type { KeyPath } from "./issue.ts";
import { error, type Judgement, warning } from "./judgement.ts";

export function* checkJwt(jwt: JwtShape, path: KeyPath): Generator<Judgement> {
  if (jwt.keys === undefined) {
    const endpoint = parseEndpoint(jwt.issuer);
    if (typeof endpoint === "string") yield error([...path, "issuer"], `${endpoint}; or give its keys as a file`);
  } else {
    for (const key of ["caFile", "tokenFile"] as const) {
      if (jwt[key] !== undefined)
        yield error([...path, key], "is for keys that are fetched, and keys is a file", "key");
    }
  }
  const values = Object.values(jwt.claims).flat();
  if (values.every((value) => value === "*")) {
    yield warning([...path, "claims"], "everybody who gets a token of this issuer for this audience is this caller");
  }
}

/** Whoever can read a token on its way can be its caller until it expires. */
export function* checkClearText({ callerProofs, listeners }: PartialShape): Generator<Judgement> {
  if (![...callerProofs.values()].some((caller) => caller?.jwt !== undefined)) return;
  for (const [index, listener] of listeners.entries()) {
    if (listener?.insecure !== true) continue;
    const address = parseListenAddress(listener.address);
    if (typeof address === "string" || isLocalAddress(address)) continue;
    yield warning(
      ["listeners", index, "insecure"],
      "callers that are known by a JWT send it in clear text here: whoever sees it can use it",
      "key",
    );
  }
}
