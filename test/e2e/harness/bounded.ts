/** `work`, or a failure that says what did not happen in time: a test that waits for ever tells nobody why. */
export async function within<T>(timeoutMs: number, what: string, work: Promise<T>): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error(`${what}: not within ${timeoutMs} ms`)), timeoutMs);
  try {
    return await Promise.race([work, promise]);
  } finally {
    clearTimeout(timer);
  }
}

const LOOK_EVERY_MS = 10;

/** Looks until `holds` does: for what can be seen and does not tell of itself. */
export async function eventually(timeoutMs: number, what: string, holds: () => boolean): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setInterval(() => {
    if (holds()) resolve();
  }, LOOK_EVERY_MS);
  await within(timeoutMs, what, promise).finally(() => clearInterval(timer));
}
