import type { handleUnaryCall, Metadata, ServerUnaryCall } from "@grpc/grpc-js";
import type { CallOrigin } from "../backends/backend.ts";
import type { Operation } from "../config/config.ts";
import type { Clock } from "../core/clock.ts";
import { abortReason, createDeadline, type Deadline } from "../core/deadline.ts";
import { KeyServiceError, toKeyServiceError } from "../core/errors.ts";
import { Secret } from "../core/secret.ts";
import type { CallContext, KeyService } from "../key-service.ts";
import type { PeerOfCall } from "./connections.ts";
import { decodeKeyRequest, encodeKeyAnswer, type KeyRequest } from "./messages.ts";
import { grpcStatusOf } from "./status.ts";

/** The two methods of the protocol, for the callers of one listener; encoded messages come and go. */
export interface Calls {
  readonly Encrypt: handleUnaryCall<Buffer, Buffer>;
  readonly Decrypt: handleUnaryCall<Buffer, Buffer>;
}

/** Longer than any call may take; a timer takes no more than 24 days. */
const LONGEST_DEADLINE_MS = 24 * 60 * 60 * 1_000;

export function createCalls(service: KeyService, originOf: (call: PeerOfCall) => CallOrigin, clock: Clock): Calls {
  async function answer(
    operation: Operation,
    call: ServerUnaryCall<Buffer, Buffer>,
    work: (request: KeyRequest, context: CallContext) => Promise<Buffer>,
  ): Promise<Buffer> {
    const cancelled = new AbortController();
    const onCancelled = () => cancelled.abort(abortReason(undefined));
    call.once("cancelled", onCancelled);
    using deadline = callerDeadline(call, clock, cancelled.signal);
    const signal = deadline?.signal ?? cancelled.signal;
    const context = { ...originOf(call), ...readAuthorization(call.metadata), signal };
    const bytes = await work(decodeOrTell(operation, call.request, context), context);
    // grpc-js says this of every call that has ended: to answered ones it must mean nothing, and cost nothing.
    call.off("cancelled", onCancelled);
    // sops takes an empty answer for a key and writes a file that nobody can open.
    if (bytes.length > 0) return bytes;
    throw new KeyServiceError("internal", {
      problem: "the answer would have been empty; nothing was handed out",
      remedy: "try again; if it stays, report it with what the log of sops-keyd says",
    });
  }

  /** What cannot be read does not come to the service, but stands on record. */
  function decodeOrTell(operation: Operation, message: Buffer, { caller }: CallOrigin): KeyRequest {
    try {
      return decodeKeyRequest(message);
    } catch (thrown) {
      const error = toKeyServiceError(thrown);
      service.refused(operation, undefined, caller, error);
      throw error;
    }
  }

  return {
    Encrypt(call, callback) {
      answer("encrypt", call, ({ key, payload }, context) => service.encrypt(key, payload, context))
        .then((ciphertext) => callback(null, encodeKeyAnswer(ciphertext)))
        .catch((thrown: unknown) => callback(toServiceError(thrown)))
        // It holds the data key, and is the copy that grpc-js made for us alone.
        .finally(() => call.request.fill(0));
    },
    Decrypt(call, callback) {
      answer("decrypt", call, ({ key, payload }, context) => service.decrypt(key, payload, context))
        .then((plaintext) => {
          const message = encodeKeyAnswer(plaintext);
          callback(null, message);
          // grpc-js copies the message into a frame before it returns from the callback.
          message.fill(0);
          plaintext.fill(0);
        })
        .catch((thrown: unknown) => callback(toServiceError(thrown)));
    },
  };
}

/** Where there are several, they stay together: nobody is to choose one by luck. */
function readAuthorization(metadata: Metadata): Pick<CallContext, "authorization"> {
  const values = metadata.get("authorization");
  return values.length === 0 ? {} : { authorization: new Secret(values.join(", ")) };
}

/** What grpc-js makes a status of: code and message, and nothing of the cause. */
export function toServiceError(thrown: unknown): { readonly code: number; readonly details: string } {
  const error = toKeyServiceError(thrown);
  return { code: grpcStatusOf(error.code), details: error.message };
}

/** Undefined where the caller sets none, as sops does: its rule's alone bounds the call then. */
function callerDeadline(
  call: ServerUnaryCall<unknown, unknown>,
  clock: Clock,
  cancelled: AbortSignal,
): Deadline | undefined {
  const deadline = call.getDeadline();
  const atMs = typeof deadline === "number" ? deadline : deadline.getTime();
  if (atMs === Number.POSITIVE_INFINITY) return undefined;
  const timeoutMs = Math.max(0, Math.min(LONGEST_DEADLINE_MS, atMs - clock.nowMs()));
  return createDeadline(clock, timeoutMs, "the call took longer than its caller allowed", cancelled);
}
