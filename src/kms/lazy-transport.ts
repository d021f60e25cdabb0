import { untilAborted } from "../core/deadline.ts";
import { KeyServiceError } from "../core/errors.ts";
import type { KmsTransport } from "./transport.ts";

/**
 * A transport whose code is loaded while others start. Calls that come before wait for it, within their signal.
 *
 * @param place the transport's
 */
export function createLazyTransport(
  place: Pick<KmsTransport, "host" | "proxyHost">,
  open: () => Promise<KmsTransport>,
): KmsTransport {
  let opened: KmsTransport | undefined;
  const opening = open().then((transport) => {
    opened = transport;
    return transport;
  });
  // Whoever calls is told.
  opening.catch(() => {});
  return {
    ...place,
    async send(request, attempt) {
      try {
        opened ??= await untilAborted(opening, attempt.signal);
      } catch (thrown) {
        attempt.signal.throwIfAborted();
        return { ok: false, error: notLoaded(thrown), retry: "never", endpointIsIll: false };
      }
      return opened.send(request, attempt);
    },
    async probe(signal) {
      await (await untilAborted(opening, signal)).probe(signal);
    },
    async close() {
      await opening.then(
        (transport) => transport.close(),
        () => {},
      );
    },
  };
}

function notLoaded(cause: unknown): KeyServiceError {
  return new KeyServiceError("kms_unavailable", {
    problem: "the client for this transport could not be loaded",
    remedy: "install sops-keyd with all of its packages, or set kms.transport of the rule to rest",
    cause,
  });
}
