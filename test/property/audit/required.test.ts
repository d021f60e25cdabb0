import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { callerAt } from "../../../src/access/caller.ts";
import { createAudit } from "../../../src/audit/audit.ts";
import { createJournal, type Journal } from "../../../src/audit/journal.ts";
import { openSigningKey } from "../../../src/audit/signing-key.ts";
import type { CallContext, KeyAnswer } from "../../../src/backends/backend.ts";
import { type Clock, systemClock } from "../../../src/core/clock.ts";
import { KeyServiceError } from "../../../src/core/errors.ts";
import { createKeyService, type KeyService } from "../../../src/key-service.ts";
import type { CallRecord } from "../../../src/telemetry/call-record.ts";
import { createLogBench, type LogBench } from "../../fakes/audit-log.ts";
import { createFaultyFileSystem, type FaultyCall } from "../../fakes/faulty-file-system.ts";
import { createRandom, type Random } from "../../fakes/random.ts";

// SEED and AUDIT_CALLS repeat or prolong a run.
const SEED = Number(process.env["SEED"] ?? Date.now() % 2 ** 31);
const CALLS = Number(process.env["AUDIT_CALLS"] ?? 5000);
const IN_FLIGHT = 64;
const KEY = { type: "gcp_kms", resourceId: "projects/p/locations/global/keyRings/r/cryptoKeys/k" } as const;

/** Time that runs fifty times as fast, so that outages are over soon. */
const hastyClock: Clock = {
  nowMs: () => systemClock.nowMs(),
  monotonicMs: () => systemClock.monotonicMs() * 50,
  schedule: (delayMs, callback) => systemClock.schedule(delayMs / 50, callback),
};

/** In a thousand calls of the operating system. */
const FAULTS: Readonly<Record<FaultyCall, readonly (readonly [perMille: number, code: string])[]>> = {
  write: [
    [10, "ENOSPC"],
    [8, "EIO"],
  ],
  truncate: [[100, "EIO"]],
  open: [[100, "EMFILE"]],
  rename: [[200, "EACCES"]],
};

function createFaults(random: Random) {
  return createFaultyFileSystem((call) => {
    for (const [perMille, code] of FAULTS[call]) {
      if (random(1000) < perMille) return { code, halfDone: random(2) === 0 };
    }
    return undefined;
  });
}

/** Lets each call through and then answers it, or not. */
function createService(
  journal: Journal,
  bench: LogBench,
  random: Random,
  record: (call: CallRecord) => void,
): KeyService {
  const key = openSigningKey(`${bench.path}.key`);
  const audit = createAudit({ journal, required: true, key, clock: hastyClock, configHash: () => "c".repeat(64) });
  const answer = async (_key: unknown, _payload: Buffer, context: CallContext): Promise<KeyAnswer> => {
    context.audit?.allowed("r", "s");
    await new Promise((resolve) => setImmediate(resolve));
    if (random(100) < 5) throw new KeyServiceError("kms_unavailable", { problem: "down", remedy: "wait" });
    return { bytes: Buffer.from("key"), rule: "r", source: "s" };
  };
  const backends = {
    identify: (caller: CallContext["caller"]) => caller,
    authenticate: () => Promise.reject(new Error("there is no token")),
    gcpKms: { encrypt: answer, decrypt: answer },
  };
  return createKeyService(
    () => backends,
    hastyClock,
    record,
    () => audit,
  );
}

async function makeCalls(service: KeyService): Promise<number> {
  const context = {
    caller: callerAt("unix:///x", "team-a"),
    listenerIsLocal: true,
    signal: new AbortController().signal,
  };
  let left = CALLS;
  let answered = 0;
  const loop = async () => {
    while (left > 0) {
      left -= 1;
      await service.decrypt(KEY, Buffer.from("c"), context).then(
        () => {
          answered += 1;
        },
        // The next one comes when the trouble may be over.
        () => new Promise((resolve) => setTimeout(resolve, 2)),
      );
    }
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, loop));
  return answered;
}

/** By request: whether it was allowed, and its last outcome. */
function readAccounts(bench: LogBench): Map<string, { allowed: boolean; outcome: string }> {
  const accounts = new Map<string, { allowed: boolean; outcome: string }>();
  const files = readdirSync(bench.directory).filter((name) => /^audit\.jsonl(\.\d+)?$/.test(name));
  const inOrder = files.toSorted((one, other) =>
    one === "audit.jsonl" ? 1 : other === "audit.jsonl" ? -1 : one < other ? -1 : 1,
  );
  for (const fields of inOrder.flatMap((name) => bench.fields(join(bench.directory, name)))) {
    if (typeof fields["request"] !== "string") continue;
    const account = accounts.get(fields["request"]) ?? { allowed: false, outcome: "none" };
    if (fields["decision"] === "allowed") account.allowed = true;
    if (typeof fields["outcome"] === "string") account.outcome = fields["outcome"];
    accounts.set(fields["request"], account);
  }
  return accounts;
}

test(`of ${CALLS} calls under faults none is answered that is not on record (SEED=${SEED})`, async (t) => {
  using bench = createLogBench();
  const random = createRandom(SEED);
  let faulty = false;
  const faults = createFaults((limit) => (faulty ? random(limit) : limit - 1));
  const log = await bench.open({
    clock: hastyClock,
    fs: faults,
    maxFileBytes: Math.max(200_000, CALLS * 40),
    keep: 1000,
    checkpoint: { records: 100, intervalMs: 1000 },
  });
  const journal = createJournal(log, {
    clock: hastyClock,
    timeoutMs: () => 1000,
    checkpointIntervalMs: () => 1000,
    warn() {},
    info() {},
    published() {},
  });
  const calls: CallRecord[] = [];
  const service = createService(journal, bench, random, (call) => calls.push(call));
  faulty = true;
  const answered = await makeCalls(service);
  faulty = false;
  await journal.close();

  const accounts = readAccounts(bench);
  const ok = calls.filter(({ outcome }) => outcome === "ok");
  const unaudited = ok.filter(({ requestId }) => {
    const account = accounts.get(requestId);
    return account?.allowed !== true || account.outcome !== "ok";
  });
  const untold = calls.filter(({ requestId, outcome }) => accounts.get(requestId)?.outcome !== outcome);
  t.diagnostic(`${answered} answered, ${journal.state.failures} writes failed, ${(await bench.verify()).files} files`);
  assert.equal(calls.length, CALLS);
  assert.equal(ok.length, answered);
  assert.ok(answered > CALLS / 100, `${answered} were answered`);
  assert.ok(journal.state.failures > 0);
  assert.deepEqual(unaudited, []);
  assert.deepEqual(untold, [], "and of the others too it is known how they ended");
  assert.deepEqual((await bench.verify()).problems, []);
});
