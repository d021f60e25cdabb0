import { connect } from "node:net";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { startDriver } from "../load/driver.ts";
import { startProcess } from "../system/child.ts";
import type { PeerSurroundings, RunningPeer } from "./peer.ts";

export interface KeyServiceCommand {
  readonly file: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly socket: string;
}

const LOOK_EVERY_MS = 20;
const READY_TIMEOUT_MS = 30_000;

/** Starts a key service, waits until its socket answers, and gives it a driver. */
export async function startKeyService(
  command: KeyServiceCommand,
  { directory, wrapper = [] }: PeerSurroundings,
): Promise<RunningPeer> {
  const started = new AsyncDisposableStack();
  const [file = command.file, ...args] = [...wrapper, command.file, ...command.args];
  const server = started.use(startProcess(file, args, { env: command.env, logFile: join(directory, "server.log") }));
  try {
    await untilItListens(command.socket, () => server.child.exitCode !== null);
    const driver = started.use(await startDriver("socket-driver.ts", [command.socket], directory));
    return {
      pid: server.pid,
      address: `unix://${command.socket}`,
      driverPid: driver.pid,
      drive: (request) => driver.drive(request),
      [Symbol.asyncDispose]: () => started.disposeAsync(),
    };
  } catch (thrown) {
    await started.disposeAsync();
    throw new Error(`${command.file} did not start: ${server.lastWords()}`, { cause: thrown });
  }
}

export async function untilItListens(socket: string, hasEnded: () => boolean): Promise<void> {
  const endMs = performance.now() + READY_TIMEOUT_MS;
  while (!(await accepts(socket))) {
    if (hasEnded() || performance.now() > endMs) throw new Error(`nothing listens on ${socket}`);
    await pause(LOOK_EVERY_MS);
  }
}

function accepts(path: string): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const socket = connect(path);
  socket.once("connect", () => {
    socket.destroy();
    resolve(true);
  });
  socket.once("error", () => resolve(false));
  return promise;
}
