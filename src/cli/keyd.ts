import { createIssuerKeys } from "../access/jwt/issuer-keys.ts";
import { assemble } from "../assembly.ts";
import { AuditOpenError } from "../audit/open-error.ts";
import { openAuditTrail } from "../audit/trail.ts";
import type { Config, ListenerConfig } from "../config/config.ts";
import { ConfigError } from "../config/issue.ts";
import { findRestartKeys } from "../config/restart-keys.ts";
import { systemClock } from "../core/clock.ts";
import { describeCause } from "../core/describe-cause.ts";
import { toPrintableLine } from "../core/errors.ts";
import { createBoundedKeyService, createKeyService } from "../key-service.ts";
import { ListenError } from "../server/listen-error.ts";
import { createReloadable } from "../server/reloadable.ts";
import { startServer } from "../server/server.ts";
import { type Log, logCall } from "../telemetry/log.ts";
import { CommandError, EXIT_USAGE } from "./exit.ts";
import type { Taken } from "./reload.ts";
import { createServerEventLog } from "./server-event-log.ts";
import { processSurroundings } from "./surroundings.ts";
import { readVersion } from "./version.ts";

/** Any: only that there is a timer counts. */
const STAY_ALIVE_MS = 60_000;

/** A running key service. */
export interface Keyd {
  readonly addresses: readonly string[];
  /**
   * Uses `config` from the next call on, but for what the server was opened with: that stays, and is told of. Files of
   * tls are looked at again.
   *
   * @param listeners where the server would listen had it been started with this config
   * @throws CommandError where it cannot be used, or a file of it cannot be read or written; the old one stays
   */
  apply(config: Config, listeners: readonly ListenerConfig[]): Promise<Taken>;
  /** Puts on record that a config was not taken. */
  refused(problem: string): void;
  /** @returns whether all calls in flight were answered */
  stop(): Promise<boolean>;
}

/** @throws CommandError where a listener cannot be opened or a file of the config cannot be read */
export async function startKeyd(config: Config, listeners: readonly ListenerConfig[], log: Log): Promise<Keyd> {
  const surroundings = {
    ...processSurroundings((message) => log.warn(message)),
    issuerKeys: createIssuerKeys(systemClock),
  };
  await using opened = new AsyncDisposableStack();
  // Opened first and so closed last: what the calls come to is still to be written when they have ended.
  const trail = await asUsage(() => openAuditTrail(config, trailSurroundings(log)));
  opened.defer(() => trail.close());
  const state = createReloadable(await asUsage(() => assemble(config, surroundings)));
  opened.defer(() => state.close());
  const unbounded = createKeyService(state.current, systemClock, (call) => logCall(log, call), trail.current);
  let { maxCalls } = config.limits;
  const service = createBoundedKeyService(unbounded, () => maxCalls);
  const options = { identifyPeers: needsPeers(config), report: createServerEventLog(log, trail.note, systemClock) };
  const server = await asUsage(() => startServer(listeners, config.limits, service, systemClock, options));
  const parts = opened.move();
  return {
    addresses: server.addresses,
    async apply(next, nextListeners) {
      const assembly = await asUsage(() => assemble(next, surroundings));
      try {
        if (needsPeers(next)) server.identifyPeers();
        const putIntoForce = await trail.prepare(next);
        putIntoForce();
      } catch (thrown) {
        await assembly.close();
        throw toUsage(thrown);
      }
      // Not waited for: the config applies, whatever the files of tls are like.
      server.renewCertificates().catch((thrown: unknown) => {
        log.error("the files of tls could not be looked at", { cause: describeCause(thrown) });
      });
      state.swap(assembly).catch((thrown: unknown) => {
        log.warn("the old config's connections could not be closed", { cause: describeCause(thrown) });
      });
      maxCalls = next.limits.maxCalls;
      const running = { listeners, limits: config.limits };
      return { restartKeys: findRestartKeys(running, { listeners: nextListeners, limits: next.limits }) };
    },
    refused: (problem) => trail.note({ event: "config_refused", problem: toPrintableLine(problem) }),
    async stop() {
      // Our clock's timers keep no process alive, and what ends may wait for nothing else: Node would leave with code 13,
      // and the audit log without its end.
      const stayAlive = setInterval(() => {}, STAY_ALIVE_MS);
      try {
        const answered = await server.drain();
        await parts.disposeAsync();
        return answered;
      } finally {
        clearInterval(stayAlive);
      }
    },
  };
}

/** Whether a caller is told by the process that connects. */
export function needsPeers({ callers }: Config): boolean {
  return [...callers.values()].some(({ kind }) => kind === "unix");
}

function trailSurroundings(log: Log) {
  return {
    clock: systemClock,
    version: readVersion(),
    warn: (message: string) => log.warn(message),
    error: (message: string) => log.error(message),
    info: (message: string) => log.info(message),
  };
}

/** What an operator can mend in the config ends the command with its sentence and code 2. */
async function asUsage<T>(start: () => T | Promise<T>): Promise<T> {
  try {
    return await start();
  } catch (thrown) {
    throw toUsage(thrown);
  }
}

function toUsage(thrown: unknown): unknown {
  const isForeseen = thrown instanceof ListenError || thrown instanceof ConfigError || thrown instanceof AuditOpenError;
  return isForeseen ? new CommandError(thrown.message, { exitCode: EXIT_USAGE, cause: thrown }) : thrown;
}
