/**
 * One server through the same round of faults again and again; after each it says what it holds. Run with --expose-gc,
 * as a process of its own: what else a test process holds would be in the way.
 */
import { readdirSync } from "node:fs";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import type { FaultEffect } from "../../../src/emulator/faults.ts";
import { type FaultBench, openFaultBench } from "./bench.ts";
import type { WireFault } from "./wire.ts";
import type { Transport } from "./withstand.ts";

/** What is held after a round. */
export interface Held {
  readonly heapBytes: number;
  readonly descriptors: number;
  readonly timers: number;
}

const WIRE_FAULTS: readonly WireFault[] = ["refused", "silent", "reset-before", "reset-within", "dripping", "garbage"];
const ANSWER_FAULTS: readonly FaultEffect[] = [
  { kind: "corrupt" },
  { kind: "empty" },
  { kind: "html" },
  ...[401, 403, 429, 500, 503].map((code) => ({ kind: "status", code }) as const),
];
const CALLS = 20;
const [rounds = "1", transport = "rest"] = process.argv.slice(2);

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

async function playRound(bench: FaultBench): Promise<void> {
  for (const fault of WIRE_FAULTS) {
    await bench.wire.harm(fault);
    await bench.calls("decrypt", CALLS);
    await bench.calls("encrypt", CALLS);
    await bench.assertRecovers();
  }
  for (const effect of ANSWER_FAULTS) {
    bench.emulator.admin.addFault({ ...effect, endpoint: "kms.decrypt", resource: "projects/shop/*" });
    await bench.calls("decrypt", CALLS);
    await bench.assertRecovers();
  }
  await bench.assertBankIsServed();
  // Quotas that were found out are forgotten.
  await bench.pass(120_000);
  bench.emulator.admin.resetRequests();
}

await using bench = await openFaultBench({ transport: transport as Transport });
for (let round = 0; round < Number(rounds); round += 1) {
  await playRound(bench);
  collectGarbage();
  const held: Held = {
    heapBytes: process.memoryUsage().heapUsed,
    descriptors: readdirSync("/proc/self/fd").length,
    timers: bench.clock.pendingTimers,
  };
  process.stdout.write(`${JSON.stringify(held)}\n`);
}
