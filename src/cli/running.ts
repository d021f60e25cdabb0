import type { Log } from "../telemetry/log.ts";

/** Tells programs and people where calls are taken from now on. @param json one line on stdout, for programs */
export function announceReady(addresses: readonly string[], json: boolean): void {
  if (json) process.stdout.write(`${JSON.stringify({ addresses, pid: process.pid })}\n`);
  if (process.stderr.isTTY !== true) return;
  process.stderr.write(
    `\nin another shell:\n  export SOPS_KEYSERVICE=${addresses[0]} SOPS_ENABLE_LOCAL_KEYSERVICE=false\n\n`,
  );
}

/** Ends what takes calls, and says how. @param stop resolves with whether all calls in flight were answered */
export async function endRunning(stop: () => Promise<boolean>, signal: NodeJS.Signals, log: Log): Promise<void> {
  log.info("ending: no more calls are taken, those in flight are answered", { signal });
  if (await stop()) log.info("ended");
  else log.warn("ended with calls unanswered: the time for draining was over");
}
