/** The disk of an audit log that is required. */
import assert from "node:assert/strict";
import { createAudit } from "../../src/audit/audit.ts";
import { createJournal } from "../../src/audit/journal.ts";
import { openSigningKey } from "../../src/audit/signing-key.ts";
import { createLogBench } from "../fakes/audit-log.ts";
import { createFaultyFileSystem, type Fault } from "../fakes/faulty-file-system.ts";
import { openFaultBench } from "./harness/bench.ts";
import { assertExpected, type NamedFault, testFault } from "./harness/withstand.ts";

const NO_DISK: NamedFault = {
  fault: "disk full or broken, and audit is required",
  promise: "no key is handed out that is not on record, and calls go on with the disk",
  sees: "UNAVAILABLE: nothing is answered that cannot be audited",
};

const DISK_FAULTS: readonly { readonly what: string; readonly fault: Fault }[] = [
  { what: "full", fault: { code: "ENOSPC" } },
  { what: "full within a record", fault: { code: "ENOSPC", halfDone: true } },
  { what: "broken", fault: { code: "EIO" } },
];

for (const { what, fault } of DISK_FAULTS) {
  testFault(NO_DISK, what, async () => {
    using log = createLogBench();
    let failing: Fault;
    const fs = createFaultyFileSystem((call) => (call === "write" ? failing : undefined));
    await using bench = await openFaultBench({
      realMs: 2_000,
      audit: async (clock) => {
        const key = openSigningKey(`${log.path}.key`);
        const journal = createJournal(await log.open({ fs, clock, key }), {
          clock,
          timeoutMs: () => 60_000,
          checkpointIntervalMs: () => 60_000,
          warn: () => {},
          info: () => {},
          published: () => {},
        });
        const audit = createAudit({ journal, required: true, key, clock, configHash: () => "0".repeat(64) });
        return { audit, close: () => journal.close() };
      },
    });
    const answeredBefore = log.fields().filter(({ outcome }) => outcome === "ok").length;
    failing = fault;
    const unaudited = { status: "UNAVAILABLE", says: /nothing is answered that cannot be audited/ } as const;
    for (const operation of ["encrypt", "decrypt"] as const) assertExpected(await bench.call(operation), unaudited);
    failing = undefined;
    await bench.assertRecovers();
    const { problems } = await log.verify();
    assert.deepEqual(problems, []);
    const answered = log.fields().filter(({ outcome }) => outcome === "ok").length;
    assert.equal(answered - answeredBefore, 1, "the one call that was answered");
  });
}
