const STOP_SIGNALS = ["SIGTERM", "SIGINT"] as const satisfies readonly NodeJS.Signals[];

/** The first SIGTERM or SIGINT; a second one then ends the process the usual way. */
export function nextStopSignal(): Promise<NodeJS.Signals> {
  const { promise, resolve } = Promise.withResolvers<NodeJS.Signals>();
  const stop = (signal: NodeJS.Signals) => {
    for (const each of STOP_SIGNALS) process.off(each, stop);
    resolve(signal);
  };
  for (const each of STOP_SIGNALS) process.on(each, stop);
  return promise;
}
