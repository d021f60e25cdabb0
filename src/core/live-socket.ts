import { connect } from "node:net";

/** Who listens and does not answer in this time is busy, not gone. */
const TIMEOUT_MS = 1_000;

/**
 * Whether somebody accepts connections at a unix socket. Only a refusal proves that nobody does.
 *
 * @throws the system's error where it cannot be told
 */
export function isListenedOn(path: string): Promise<boolean> {
  const { promise, resolve, reject } = Promise.withResolvers<boolean>();
  const socket = connect(path);
  socket.setTimeout(TIMEOUT_MS, () => resolve(true));
  socket.once("connect", () => resolve(true));
  socket.once("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "ECONNREFUSED" || error.code === "ENOENT") resolve(false);
    else reject(error);
  });
  return promise.finally(() => socket.destroy());
}
