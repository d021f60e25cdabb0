import type { RelayedCall, RemoteOutcome, RemoteServer } from "../../src/connect/remote-server.ts";
import { abortReason } from "../../src/core/deadline.ts";

export interface FakeRemoteServer extends RemoteServer {
  readonly asked: readonly { readonly call: RelayedCall; readonly token: string | undefined }[];
  /** What it does from now on; "hang" until the call is given up. */
  says(next: RemoteOutcome | "hang"): void;
}

export function createFakeRemoteServer(url: string, first: RemoteOutcome | "hang"): FakeRemoteServer {
  const asked: { call: RelayedCall; token: string | undefined }[] = [];
  let outcome = first;
  return {
    url,
    asked,
    says(next) {
      outcome = next;
    },
    ask(call, token, signal) {
      asked.push({ call, token: token?.reveal() });
      if (outcome !== "hang") return Promise.resolve(outcome);
      const { promise, reject } = Promise.withResolvers<RemoteOutcome>();
      signal.addEventListener("abort", () => reject(abortReason(signal)), { once: true });
      return promise;
    },
    close() {},
  };
}
