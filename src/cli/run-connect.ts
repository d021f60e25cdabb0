import { isLocalAddress, parseListenAddress } from "../config/address.ts";
import type { ListenerConfig } from "../config/config.ts";
import { processEnvironment } from "../config/environment.ts";
import { createLog } from "../telemetry/log.ts";
import type { ConnectCommandOptions } from "./connect.ts";
import { CommandError, EXIT_USAGE } from "./exit.ts";
import { localListener, privateSocketPath } from "./listener-address.ts";
import { parseLogLevelOption } from "./options.ts";
import { hardenProcess } from "./process-hardening.ts";
import { announceReady, endRunning } from "./running.ts";
import { startConnect } from "./start-connect.ts";
import { nextStopSignal } from "./stop-signal.ts";

/** Relays until SIGTERM or SIGINT. */
export async function runConnect(options: ConnectCommandOptions): Promise<void> {
  const log = createLog(parseLogLevelOption(options.logLevel), process.stderr.isTTY === true);
  for (const gap of hardenProcess()) log.warn(gap);
  const stopSignal = nextStopSignal();
  const relay = await startConnect(options.to, chooseListener(options.listen), options, log);
  log.info("listening", { address: relay.address, to: options.to.join(" ") });
  announceReady([relay.address], options.json === true);
  await endRunning(relay.stop, await stopSignal, log);
}

function chooseListener(listen: string | undefined): ListenerConfig {
  const address = parseListenAddress(listen ?? `unix://${privateSocketPath(processEnvironment, "connect.sock")}`);
  if (typeof address === "string") throw new CommandError(`--listen: ${address}`, { exitCode: EXIT_USAGE });
  if (isLocalAddress(address)) return localListener(address);
  throw new CommandError("--listen: other machines could reach that, and everybody there would be taken for us", {
    exitCode: EXIT_USAGE,
  });
}
