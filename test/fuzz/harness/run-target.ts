import { Worker } from "node:worker_threads";
import type { FuzzOptions, FuzzResult } from "./fuzz.ts";
import { countInputs, createSharedInput, readInput, type SharedInput } from "./shared-input.ts";
import { FuzzFind } from "./target.ts";

export interface WorkerTask extends Pick<FuzzOptions, "seed" | "executions" | "durationMs"> {
  readonly target: string;
  readonly shared: SharedInput;
}

export type FromWorker =
  | ({ readonly kind: "done" } & FuzzResult)
  | { readonly kind: "new"; readonly input: Uint8Array; readonly behaviour: string }
  | { readonly kind: "find"; readonly message: string; readonly stack: string; readonly input: Uint8Array };

export interface TargetRun extends Pick<FuzzOptions, "seed" | "executions" | "durationMs"> {
  readonly target: string;
  /** A single input that takes longer never ends. */
  readonly hangMs: number;
  readonly onNew?: (input: Buffer, behaviour: string) => void;
  readonly onProgress?: (executions: number) => void;
}

const LOOK_EVERY_MS = 500;
/** What a parser takes for a few kilobytes of input is far below. */
const MAX_HEAP_MB = 768;

/**
 * Fuzzes a target in a thread of its own. A crash of the thread and an input that never ends are finds as well.
 *
 * @throws FuzzFind
 */
export async function runTarget(run: TargetRun): Promise<FuzzResult> {
  const shared = createSharedInput();
  const { target, seed, executions, durationMs } = run;
  const workerData: WorkerTask = { target, seed, executions, durationMs, shared };
  const worker = new Worker(new URL("worker.ts", import.meta.url), {
    workerData,
    resourceLimits: { maxOldGenerationSizeMb: MAX_HEAP_MB },
  });
  const { promise, resolve, reject } = Promise.withResolvers<FuzzResult>();
  const fail = (why: string, cause?: unknown) =>
    reject(new FuzzFind(`${target}, seed ${seed}: ${why}`, { cause, input: readInput(shared) }));
  worker.on("message", (message: FromWorker) => take(message, run, resolve, reject));
  worker.on("error", (error: unknown) => fail(`the thread has crashed: ${String(error)}`, error));
  worker.on("exit", (code) => fail(`the thread has ended with ${code}`));
  const watching = watch(shared, run, () => fail(`took longer than ${run.hangMs} ms`));
  try {
    return await promise;
  } finally {
    clearInterval(watching);
    await worker.terminate();
  }
}

function take(
  message: FromWorker,
  { target, onNew }: TargetRun,
  resolve: (result: FuzzResult) => void,
  reject: (find: FuzzFind) => void,
): void {
  switch (message.kind) {
    case "new":
      onNew?.(Buffer.from(message.input), message.behaviour);
      return;
    case "find":
      reject(new FuzzFind(`${message.message}\n${message.stack}`, { input: Buffer.from(message.input) }));
      return;
    case "done":
      resolve({ executions: message.executions, behaviours: message.behaviours });
      return;
  }
  throw new Error(`${target}: an unknown message`);
}

function watch(shared: SharedInput, { hangMs, onProgress }: TargetRun, onHang: () => void): NodeJS.Timeout {
  let before = -1;
  let sinceMs = performance.now();
  return setInterval(() => {
    const count = countInputs(shared);
    if (count !== before) {
      before = count;
      sinceMs = performance.now();
    } else if (performance.now() - sinceMs > hangMs) onHang();
    onProgress?.(count);
  }, LOOK_EVERY_MS);
}
