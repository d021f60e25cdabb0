import { createSecureContext, type SecureContext } from "node:tls";

/** By the list itself, which the rules of one config share: a list of CAs takes more than 20 ms and a MiB every time. */
const contexts = new WeakMap<readonly string[], SecureContext>();

/** @param ca certificates in PEM form; undefined: Node's own */
export function trustIn(ca: readonly string[] | undefined): SecureContext {
  if (ca === undefined) return createSecureContext();
  const made = contexts.get(ca) ?? createSecureContext({ ca: [...ca] });
  contexts.set(ca, made);
  return made;
}
