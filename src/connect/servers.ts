import { status } from "@grpc/grpc-js";
import type { Clock } from "../core/clock.ts";
import { KeyServiceError } from "../core/errors.ts";
import type { TokenHolder } from "../credentials/token.ts";
import type { RelayedCall, RemoteOutcome, RemoteServer } from "./remote-server.ts";

/** An answer, or a refusal in the words of the server that gave it. */
export type RelayOutcome = Exclude<RemoteOutcome, { kind: "unreachable" }> & { readonly server: string };

export interface Servers {
  /**
   * Asks the server that answered last, and the others in their order where it cannot be reached.
   *
   * @throws KeyServiceError `server_unreachable`, a credential code where there is no identity token, the signal's reason
   */
  ask(call: RelayedCall, signal: AbortSignal): Promise<RelayOutcome>;
  close(): void;
}

export interface ServersOptions {
  /** At least one. */
  readonly servers: readonly RemoteServer[];
  /** Undefined where the servers know us otherwise. */
  readonly tokens: TokenHolder | undefined;
  readonly clock: Clock;
}

const OUT_OF_ORDER: readonly status[] = [status.DEADLINE_EXCEEDED, status.UNAVAILABLE];
/** A server's own calls to Cloud KMS end after 10 s, two thirds of our 15. */
const PART_OF_TIME = 2 / 3;

export function createServers({ servers, tokens, clock }: ServersOptions): Servers {
  let preferred = 0;

  async function askOne(server: RemoteServer, call: RelayedCall, signal: AbortSignal): Promise<RemoteOutcome> {
    const token = await tokens?.getToken(signal);
    const outcome = await server.ask(call, token?.accessToken, signal);
    if (token === undefined || outcome.kind !== "refused" || outcome.code !== status.UNAUTHENTICATED) return outcome;
    // It may have been replaced where it is found, before its time.
    tokens?.invalidate(token.generation);
    const newer = await tokens?.getToken(signal);
    if (newer === undefined || newer.accessToken.reveal() === token.accessToken.reveal()) return outcome;
    return await server.ask(call, newer.accessToken, signal);
  }

  return {
    async ask(call, signal) {
      const failures: (RemoteOutcome & { readonly server: string })[] = [];
      const order = [...servers.slice(preferred), ...servers.slice(0, preferred)];
      for (const server of order) {
        const deadlineAtMs = server === order.at(-1) ? call.deadlineAtMs : partOf(call.deadlineAtMs, clock.nowMs());
        const outcome = { ...(await askOne(server, { ...call, deadlineAtMs }, signal)), server: server.url };
        if (serves(outcome)) {
          preferred = servers.indexOf(server);
          return outcome;
        }
        failures.push(outcome);
      }
      // What a server said says more than that others could not be reached.
      const refusal = failures.findLast((failure) => failure.kind === "refused");
      if (refusal !== undefined) return refusal;
      throw unreachable(failures.flatMap((failure) => (failure.kind === "unreachable" ? [failure] : [])));
    },
    close() {
      for (const server of servers) server.close();
    },
  };
}

/** So that a server which takes calls and says nothing leaves time for the next one. */
function partOf(deadlineAtMs: number, nowMs: number): number {
  return nowMs + (deadlineAtMs - nowMs) * PART_OF_TIME;
}

/** Not where it cannot be reached, cannot serve just now, or says nothing: another one may do then. */
function serves<O extends RemoteOutcome>(outcome: O): outcome is Exclude<O, { readonly kind: "unreachable" }> {
  return outcome.kind === "answered" || (outcome.kind === "refused" && !OUT_OF_ORDER.includes(outcome.code));
}

function unreachable(failures: readonly { readonly server: string; readonly reason: string }[]): KeyServiceError {
  return new KeyServiceError("server_unreachable", {
    problem: `no key service could be reached: ${failures.map(({ server, reason }) => `${server}: ${reason}`).join("; ")}`,
    remedy: "check --to and --ca, the network, and that sops-keyd runs there",
  });
}
