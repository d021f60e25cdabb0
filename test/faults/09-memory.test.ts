/** What a server holds when the faults are over. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { Held } from "./harness/rounds-process.ts";
import { type NamedFault, TRANSPORTS, testFault } from "./harness/withstand.ts";

const ALL_AGAIN: NamedFault = {
  fault: "fourteen of these faults in turn, 400 calls a round, again and again",
  promise: "memory, descriptors and timers are back where they were",
  sees: "the right answer, or what each of them says",
};
const PROCESS = fileURLToPath(new URL("harness/rounds-process.ts", import.meta.url));
const ROUNDS = 4;
/** The first rounds fill caches and compile code. */
const WARM_UP = 2;
/** A leak of a kilobyte for each of a round's 400 calls would be more than that over the rounds that are compared. */
const MOST_GROWTH_BYTES = 512 * 1024;

if (process.platform === "linux") {
  for (const transport of TRANSPORTS) {
    testFault(ALL_AGAIN, transport, async () => {
      const { stdout } = await promisify(execFile)(process.execPath, [PROCESS, String(ROUNDS), transport]);
      const held = stdout
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line) as Held);
      const [first, last] = [held[WARM_UP - 1], held.at(-1)];
      assert.ok(first !== undefined && last !== undefined && held.length === ROUNDS, stdout);
      assert.ok(last.heapBytes - first.heapBytes < MOST_GROWTH_BYTES, stdout);
      assert.ok(last.descriptors <= first.descriptors + 4, stdout);
      assert.ok(last.timers <= first.timers, stdout);
    });
  }
}
