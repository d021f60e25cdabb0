import type { Clock } from "./clock.ts";
import { KeyServiceError, toKeyServiceError } from "./errors.ts";

/** An AbortSignal with a time limit; `dispose` ends the timer and detaches from the outer signal. */
export interface Deadline extends Disposable {
  readonly signal: AbortSignal;
}

/**
 * A signal that fires after `timeoutMs` or when `outer` does, whichever is first. Its reason is always a
 * KeyServiceError: `deadline_exceeded` with `problem`, or what `outer` gave.
 */
export function createDeadline(clock: Clock, timeoutMs: number, problem: string, outer?: AbortSignal): Deadline {
  const controller = new AbortController();
  const cancelTimer = clock.schedule(timeoutMs, () =>
    controller.abort(new KeyServiceError("deadline_exceeded", { problem })),
  );
  const onOuterAbort = () => controller.abort(abortReason(outer));
  if (outer?.aborted === true) onOuterAbort();
  else outer?.addEventListener("abort", onOuterAbort, { once: true });
  return {
    signal: controller.signal,
    [Symbol.dispose]() {
      cancelTimer();
      outer?.removeEventListener("abort", onOuterAbort);
    },
  };
}

/** Why a signal was aborted, as an error that can be shown. */
export function abortReason(signal: AbortSignal | undefined): KeyServiceError {
  const reason: unknown = signal?.reason;
  if (reason instanceof KeyServiceError) return reason;
  return new KeyServiceError("cancelled", { problem: "the call was cancelled by its caller", cause: reason });
}

/** A deadline that passed, told with what was being done; every other error as it is. */
export function duringStage(thrown: unknown, stage: string): KeyServiceError {
  const error = toKeyServiceError(thrown);
  if (error.code !== "deadline_exceeded") return error;
  return new KeyServiceError("deadline_exceeded", {
    remedy: "try again; if it stays, check the network to that host or raise kms.deadline of the rule",
    ...error.detail,
    problem: `${error.detail.problem} (${stage})`,
  });
}

/** Resolves after `delayMs`, or rejects with the signal's reason as soon as it is aborted. */
export function delay(clock: Clock, delayMs: number, signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const cancel = clock.schedule(delayMs, resolve);
  return untilAborted(promise, signal).finally(cancel);
}

/** Resolves when `work` has, or after `timeoutMs`: for ends that wait for others, and not for ever. */
export async function atMost(clock: Clock, timeoutMs: number, work: Promise<unknown>): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const cancel = clock.schedule(timeoutMs, resolve);
  await Promise.race([work, promise]).finally(cancel);
}

/**
 * `work`, given up as soon as the signal is aborted. Only the waiting ends: `work` goes on for whoever else
 * waits for it, and its late failure is nobody's unhandled rejection.
 */
export function untilAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  if (signal.aborted) {
    work.catch(() => {});
    return Promise.reject(abortReason(signal));
  }
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  const onAbort = () => reject(abortReason(signal));
  signal.addEventListener("abort", onAbort, { once: true });
  work.then(resolve, reject).finally(() => signal.removeEventListener("abort", onAbort));
  return promise;
}
