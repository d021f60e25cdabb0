import type { ListenerConfig } from "../config/config.ts";
import { DEFAULT_LIMITS } from "../config/defaults.ts";
import { processEnvironment } from "../config/environment.ts";
import { createFindJwt, parseJwtPlace } from "../connect/find-jwt.ts";
import { createIdentityTokenSource } from "../connect/identity-token.ts";
import { createRelay, type RelayRecord } from "../connect/relay.ts";
import { createRemoteServer } from "../connect/remote-server.ts";
import { parseServerUrl, type ServerUrl } from "../connect/server-url.ts";
import { createServers } from "../connect/servers.ts";
import { createTlsIdentity } from "../connect/tls-identity.ts";
import { systemClock } from "../core/clock.ts";
import { KeyServiceError, toPrintableLine } from "../core/errors.ts";
import { createRefreshing } from "../credentials/refreshing.ts";
import type { TokenHolder } from "../credentials/token.ts";
import { ListenError } from "../server/listen-error.ts";
import { startCallServer } from "../server/server.ts";
import type { Log } from "../telemetry/log.ts";
import type { ConnectOptions } from "./connect-options.ts";
import { CommandError, EXIT_USAGE } from "./exit.ts";
import { parseDurationOption } from "./options.ts";

/** A running relay. */
export interface Relay {
  readonly address: string;
  /** @returns whether all calls in flight were answered */
  stop(): Promise<boolean>;
}

/** @throws CommandError where an option, a file or the address cannot be used */
export async function startConnect(
  urls: readonly string[],
  listener: ListenerConfig,
  options: ConnectOptions,
  log: Log,
): Promise<Relay> {
  const deadlineMs = parseDurationOption("--deadline", options.deadline);
  const targets = urls.map(parseTarget);
  const warn = (message: string) => log.warn(message);
  const { ca, certificate, privateKey } = options;
  if ((certificate === undefined) !== (privateKey === undefined))
    throw usage("--certificate and --private-key go together");
  const tokens = createTokens(options.jwt, warn);
  try {
    const identity = createTlsIdentity({ ca, certificate, privateKey }, options.serverName, systemClock, warn);
    const servers = createServers({
      servers: targets.map((target) => createRemoteServer(target, identity)),
      tokens,
      clock: systemClock,
    });
    const relay = createRelay({ servers, deadlineMs, clock: systemClock, record: (call) => logRelayed(log, call) });
    const server = await startCallServer([listener], DEFAULT_LIMITS, () => relay, systemClock);
    return {
      address: server.addresses[0] ?? "",
      async stop() {
        const answered = await server.drain();
        servers.close();
        return answered;
      },
    };
  } catch (thrown) {
    if (thrown instanceof ListenError || thrown instanceof KeyServiceError) throw usage(thrown.message, thrown);
    throw thrown;
  }
}

function parseTarget(url: string): ServerUrl {
  const target = parseServerUrl(url);
  if (typeof target === "string") throw usage(`${toPrintableLine(url)}: ${target}`);
  return target;
}

function createTokens(where: string | undefined, warn: (message: string) => void): TokenHolder | undefined {
  if (where === undefined) return undefined;
  const place = parseJwtPlace(where);
  // Not the text itself: somebody may have put the token there.
  if (typeof place === "string") throw usage(`--jwt: ${place}`);
  const find = createFindJwt(place, { environment: processEnvironment, clock: systemClock, warn });
  return createRefreshing(createIdentityTokenSource(find, systemClock), { clock: systemClock });
}

function logRelayed(log: Log, { operation, server, problem, latencyMs }: RelayRecord): void {
  const fields = { server, latencyMs: Math.round(latencyMs * 10) / 10 };
  if (problem === undefined) log.info(`${operation}ed`, fields);
  else log.warn(`${operation} failed`, { ...fields, problem: toPrintableLine(problem.split("\n", 1)[0] ?? "") });
}

function usage(message: string, cause?: unknown): CommandError {
  return new CommandError(message, { exitCode: EXIT_USAGE, cause });
}
