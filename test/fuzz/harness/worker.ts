import { parentPort, workerData } from "node:worker_threads";
import { openTarget } from "../targets.ts";
import { readCorpus } from "./corpus.ts";
import { fuzz } from "./fuzz.ts";
import type { FromWorker, WorkerTask } from "./run-target.ts";
import { writeInput } from "./shared-input.ts";
import { FuzzFind } from "./target.ts";

/** Runs one target in a thread of its own, so that what never ends can be ended. */
async function work(task: WorkerTask): Promise<FromWorker> {
  const { target, opened } = await openTarget(task.target);
  try {
    const result = await fuzz(target, opened, {
      ...task,
      corpus: readCorpus(task.target),
      onInput: (input) => writeInput(task.shared, input),
      onNew: (input, behaviour) => post({ kind: "new", input, behaviour }),
    });
    return { kind: "done", ...result };
  } catch (thrown) {
    if (!(thrown instanceof FuzzFind)) throw thrown;
    const { cause } = thrown;
    const stack = cause instanceof Error ? (cause.stack ?? "") : "";
    return { kind: "find", message: thrown.message, stack, input: thrown.input };
  } finally {
    await opened.close?.();
  }
}

function post(message: FromWorker): void {
  parentPort?.postMessage(message);
}

post(await work(workerData as WorkerTask));
