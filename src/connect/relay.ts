import type { handleUnaryCall, sendUnaryData } from "@grpc/grpc-js";
import type { Clock } from "../core/clock.ts";
import { abortReason, createDeadline } from "../core/deadline.ts";
import { KeyServiceError } from "../core/errors.ts";
import { type Calls, toServiceError } from "../server/calls.ts";
import type { RelayOutcome, Servers } from "./servers.ts";

export interface RelayOptions {
  readonly servers: Servers;
  /** Whole time of a call, failover included. */
  readonly deadlineMs: number;
  readonly clock: Clock;
  /** Told of every call when it ends. */
  readonly record: (call: RelayRecord) => void;
}

export interface RelayRecord {
  readonly operation: "encrypt" | "decrypt";
  /** The server that answered; undefined where none did. */
  readonly server: string | undefined;
  /** In words, where it was refused or failed. */
  readonly problem: string | undefined;
  readonly latencyMs: number;
}

/** A deadline of ours passes a little later than the one that the server is given, so that its answer is not missed. */
const GRACE_MS = 250;

/** Both methods of the protocol, passed on as they come and answered with what comes back: no byte is looked into. */
export function createRelay({ servers, deadlineMs, clock, record }: RelayOptions): Calls {
  const relay =
    (operation: RelayRecord["operation"], path: string): handleUnaryCall<Buffer, Buffer> =>
    (call, callback) => {
      const startedAtMs = clock.monotonicMs();
      const cancelled = new AbortController();
      call.once("cancelled", () => cancelled.abort(abortReason(undefined)));
      const deadline = createDeadline(
        clock,
        deadlineMs + GRACE_MS,
        `no key service answered within ${deadlineMs / 1_000} s`,
        cancelled.signal,
      );
      const deadlineAtMs = Math.min(clock.nowMs() + deadlineMs, Number(call.getDeadline()));
      const end = (server: string | undefined, problem: string | undefined) =>
        record({ operation, server, problem, latencyMs: clock.monotonicMs() - startedAtMs });
      servers
        .ask({ path, request: call.request, deadlineAtMs }, deadline.signal)
        .then((outcome) => {
          const problem = answer(outcome, callback);
          end(outcome.server, problem);
        })
        .catch((thrown: unknown) => {
          const error = toServiceError(withRemedy(thrown));
          callback(error);
          end(undefined, error.details);
        })
        .finally(() => {
          deadline[Symbol.dispose]();
          call.request.fill(0);
        });
    };
  return { Encrypt: relay("encrypt", "/KeyService/Encrypt"), Decrypt: relay("decrypt", "/KeyService/Decrypt") };
}

/** @returns the server's words where it refused */
function answer(outcome: RelayOutcome, callback: sendUnaryData<Buffer>): string | undefined {
  if (outcome.kind === "refused") {
    callback({ code: outcome.code, details: outcome.details });
    return outcome.details;
  }
  // sops takes an empty answer for a key and writes a file that nobody can open.
  if (outcome.response.length === 0) throw emptyAnswer(outcome.server);
  callback(null, outcome.response);
  // grpc-js copies the message into a frame before it returns from the callback.
  outcome.response.fill(0);
  return undefined;
}

function emptyAnswer(server: string): KeyServiceError {
  return new KeyServiceError("internal", {
    problem: `${server} gave an empty answer; nothing was handed out`,
    remedy: "check what it is that answers there",
  });
}

function withRemedy(thrown: unknown): unknown {
  if (!(thrown instanceof KeyServiceError) || thrown.code !== "deadline_exceeded") return thrown;
  return new KeyServiceError(thrown.code, {
    remedy: "try again; if it stays, check the network to the key service, or raise --deadline",
    ...thrown.detail,
  });
}
