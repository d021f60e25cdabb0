import { openFileLog } from "../../src/audit/file-log.ts";
import { systemFileSystem } from "../../src/audit/file-system.ts";
import { createJournal } from "../../src/audit/journal.ts";
import { openSigningKey } from "../../src/audit/signing-key.ts";
import { systemClock } from "../../src/core/clock.ts";

/**
 * A process that writes records as fast as it can until it is killed, and says on standard output which of them are
 * safe: their numbers, in lines. Arguments: the log, and the first number.
 */
const [, , path = "", first = "0"] = process.argv;
const quiet = { warn() {}, info() {}, published() {} };
const log = await openFileLog({
  path,
  maxFileBytes: 300_000,
  keep: 1000,
  checkpoint: { records: 50, intervalMs: 1000 },
  key: openSigningKey(`${path}.key`),
  clock: systemClock,
  fs: systemFileSystem,
  ...quiet,
});
const options = { clock: systemClock, timeoutMs: () => 5000, checkpointIntervalMs: () => 1000, ...quiet };
const journal = createJournal(log, options);
let next = Number(first);

// The journal's timers keep no process alive.
setInterval(() => {}, 60_000);

async function writeOn(): Promise<void> {
  for (;;) {
    const number = next;
    next += 1;
    // Of many sizes, so that what is torn is torn in many places.
    const problem = `number ${number} ${"x".repeat((number * 37) % 3000)}`;
    await journal.write({ event: "config_refused", time: new Date().toISOString(), problem });
    process.stdout.write(`${number}\n`);
  }
}

await Promise.all(Array.from({ length: 16 }, writeOn));
