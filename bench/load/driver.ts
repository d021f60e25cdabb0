import { join } from "node:path";
import { type BenchProcess, startProcess } from "../system/child.ts";
import { within } from "../system/within.ts";
import type { LoadRequest, LoadResult } from "./load.ts";

/** A program of the bench that makes load when it is told to. */
export interface Driver extends AsyncDisposable {
  readonly pid: number;
  drive(request: LoadRequest): Promise<LoadResult>;
}

/** Beyond the time of the load itself: the peer may need long for its last calls. */
const GRACE_MS = 90_000;

/** @param program of the folder of this file, or an absolute path; it calls `serveLoad` */
export async function startDriver(
  program: string,
  args: readonly string[],
  logDirectory: string,
  env: Readonly<Record<string, string>> = {},
  nodeOptions: readonly string[] = [],
): Promise<Driver> {
  const script = join(import.meta.dirname, program);
  const logFile = join(logDirectory, "driver.log");
  const driver = startProcess(process.execPath, [...nodeOptions, script, ...args], { env, logFile, ipc: true });
  await driver.firstLine();
  return {
    pid: driver.pid,
    drive: (request) => within(request.seconds * 1_000 + GRACE_MS, "the load to end", ask(driver, request)),
    [Symbol.asyncDispose]: () => driver[Symbol.asyncDispose](),
  };
}

async function ask(driver: BenchProcess, request: LoadRequest): Promise<LoadResult> {
  const { promise, resolve, reject } = Promise.withResolvers<LoadResult>();
  const onMessage = (message: { readonly result?: LoadResult; readonly error?: string }) => {
    if (message.result === undefined) reject(new Error(message.error ?? "the driver gave no result"));
    else resolve(message.result);
  };
  const onExit = () => reject(new Error(`the driver ended: ${driver.lastWords()}`));
  driver.child.once("message", onMessage);
  driver.child.once("exit", onExit);
  driver.child.send(request);
  try {
    return await promise;
  } finally {
    driver.child.off("message", onMessage);
    driver.child.off("exit", onExit);
  }
}
