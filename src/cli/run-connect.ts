import { isLocalAddress, parseListenAddress } from "../config/address.ts";
import type { ListenerConfig } from "../config/config.ts";
import { processEnvironment } from "../config/environment.ts";
import { createLog, type Log } from "../telemetry/log.ts";
import type { ConnectCommandOptions } from "./connect.ts";
import { CommandError, EXIT_USAGE } from "./exit.ts";
import { localListener, privateSocketPath } from "./listener-address.ts";
import { parseLogLevelOption } from "./options.ts";
import { hardenProcess } from "./process-hardening.ts";
import { startConnect } from "./start-connect.ts";
import { nextStopSignal } from "./stop-signal.ts";

/** Relays until SIGTERM or SIGINT. */
export async function runConnect(options: ConnectCommandOptions): Promise<void> {
  const log = createLog(parseLogLevelOption(options.logLevel), process.stderr.isTTY === true);
  for (const gap of hardenProcess()) log.warn(gap);
  const stopSignal = nextStopSignal();
  const relay = await startConnect(options.to, chooseListener(options.listen), options, log);
  announce(relay.address, options, log);
  const signal = await stopSignal;
  log.info("ending: no more calls are taken, those in flight are answered", { signal });
  const answered = await relay.stop();
  if (answered) log.info("ended");
  else log.warn("ended with calls unanswered: the time for draining was over");
}

function chooseListener(listen: string | undefined): ListenerConfig {
  const address = parseListenAddress(listen ?? `unix://${privateSocketPath(processEnvironment, "connect.sock")}`);
  if (typeof address === "string") throw new CommandError(`--listen: ${address}`, { exitCode: EXIT_USAGE });
  if (isLocalAddress(address)) return localListener(address);
  throw new CommandError("--listen: other machines could reach that, and everybody there would be taken for us", {
    exitCode: EXIT_USAGE,
  });
}

function announce(address: string, { to, json }: ConnectCommandOptions, log: Log): void {
  log.info("listening", { address, to: to.join(" ") });
  if (json === true) process.stdout.write(`${JSON.stringify({ addresses: [address], pid: process.pid })}\n`);
  if (process.stderr.isTTY !== true) return;
  process.stderr.write(
    `\nin another shell:\n  export SOPS_KEYSERVICE=${address} SOPS_ENABLE_LOCAL_KEYSERVICE=false\n\n`,
  );
}
