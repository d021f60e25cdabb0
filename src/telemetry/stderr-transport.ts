import TransportStream from "winston-transport";

/** Where winston's formats leave the finished line (its package triple-beam). */
export const LINE: unique symbol = Symbol.for("message");

/** More than the lines of any one turn, unless a log is flooded. */
const MAX_PENDING_LENGTH = 64 * 1024;

/**
 * Writes to stderr, and what was logged in one turn of the event loop by one system call: with 64 calls in flight they
 * are dozens. What is left when the process exits is written first.
 */
export function createStderrTransport(): TransportStream {
  let pending = "";
  const flush = () => {
    const text = pending;
    pending = "";
    if (text !== "") process.stderr.write(text);
  };
  process.once("exit", flush);
  return new TransportStream({
    log(info: { readonly [LINE]: string }, next) {
      if (pending === "") setImmediate(flush);
      pending += `${info[LINE]}\n`;
      if (pending.length > MAX_PENDING_LENGTH) flush();
      next();
    },
    close() {
      flush();
      process.off("exit", flush);
    },
  });
}
