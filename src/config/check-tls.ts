import type { ListenerShape } from "./document.ts";
import type { KeyPath } from "./issue.ts";
import { error, type Judgement } from "./judgement.ts";

/** What is wrong with the `tls` of a tcp listener. */
export function* checkTls({ tls, insecure }: ListenerShape, path: KeyPath): Generator<Judgement> {
  if (tls === undefined) return;
  if (insecure === true) yield error([...path, "insecure"], "this listener has tls, and takes no clear text", "key");
  if (tls.clientCertificate !== undefined && tls.clientCa === undefined) {
    yield error([...path, "tls", "clientCertificate"], "needs clientCa, to tell good certificates from others", "key");
  }
}
