import type { Dispatcher } from "undici";

/** What an HTTP request came back with. */
export interface HttpAnswer {
  readonly statusCode: number;
  readonly retryAfter: string | readonly string[] | undefined;
  /** For the reader to wipe. */
  readonly body: Buffer;
}

/**
 * One request over undici's own dispatch interface: no streams and no readable bodies, which were a quarter of a
 * call's CPU.
 *
 * @throws the dispatcher's error, or the signal's reason
 */
export function exchange(
  dispatcher: Pick<Dispatcher, "dispatch">,
  request: Dispatcher.DispatchOptions,
  signal: AbortSignal,
): Promise<HttpAnswer> {
  const { promise, resolve, reject } = Promise.withResolvers<HttpAnswer>();
  const chunks: Buffer[] = [];
  let controller: Dispatcher.DispatchController | undefined;
  let statusCode = 0;
  let retryAfter: string | readonly string[] | undefined;

  // Settled here rather than by the dispatcher: a request that still waits for a connection is not told of an abort.
  const onAbort = () => {
    reject(signal.reason);
    controller?.abort(signal.reason);
  };
  const finish = () => {
    signal.removeEventListener("abort", onAbort);
    for (const chunk of chunks) chunk.fill(0);
  };
  signal.throwIfAborted();
  signal.addEventListener("abort", onAbort, { once: true });
  dispatcher.dispatch(request, {
    onRequestStart(started) {
      controller = started;
      if (signal.aborted) started.abort(signal.reason);
    },
    onResponseStart(_controller, status, headers) {
      statusCode = status;
      retryAfter = headers["retry-after"];
    },
    onResponseData(_controller, chunk) {
      chunks.push(chunk);
    },
    onResponseEnd() {
      resolve({ statusCode, retryAfter, body: Buffer.concat(chunks) });
      finish();
    },
    onResponseError(_controller, error) {
      reject(error);
      finish();
    },
  });
  return promise;
}
