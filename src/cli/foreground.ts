const KEEP_ALIVE_MS = 60_000;

/**
 * `work`, with the process kept alive until it is done. The system clock's timers never do that: a wait between two
 * tries would otherwise end the program.
 */
export async function inForeground<T>(work: Promise<T>): Promise<T> {
  const timer = setInterval(() => {}, KEEP_ALIVE_MS);
  try {
    return await work;
  } finally {
    clearInterval(timer);
  }
}
