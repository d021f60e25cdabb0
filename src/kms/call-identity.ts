import { hash } from "node:crypto";
import type { Operation } from "../config/config.ts";
import type { TokenHolder } from "../credentials/token.ts";
import type { KmsCall } from "./kms-client.ts";

/**
 * Text that two calls of one rule share only where one answer serves both: the same operation on the same bytes under
 * the same key, with tokens of the same holder. Holders are told apart as objects, so that nobody is served by what
 * another principal was allowed.
 */
export type IdentifyCall = (operation: Operation, payload: Uint8Array, call: KmsCall) => string;

export function createCallIdentity(): IdentifyCall {
  const holders = new WeakMap<TokenHolder, number>();
  let known = 0;
  return (operation, payload, { key, tokens }) => {
    let holder = holders.get(tokens);
    if (holder === undefined) {
      known += 1;
      holder = known;
      holders.set(tokens, holder);
    }
    // The bytes themselves are not kept as a name: they may be a data key.
    return `${operation} ${holder} ${key} ${hash("sha256", payload, "base64")}`;
  };
}
