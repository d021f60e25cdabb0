import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ServiceError } from "@grpc/grpc-js";
import { assemble } from "../../../src/assembly.ts";
import type { Audit } from "../../../src/audit/audit.ts";
import type { Operation } from "../../../src/config/config.ts";
import { DEFAULT_DEADLINE_MS } from "../../../src/config/defaults.ts";
import { parseConfig } from "../../../src/config/parse.ts";
import { type Emulator, startEmulator } from "../../../src/emulator/emulator.ts";
import { createBoundedKeyService, createKeyService } from "../../../src/key-service.ts";
import { startServer } from "../../../src/server/server.ts";
import { eventually } from "../../e2e/harness/bounded.ts";
import type { TestCertificate } from "../../fakes/certificates.ts";
import { createFakeClock, type FakeClock, settle } from "../../fakes/clock.ts";
import { createKeyClient, type KeyClient } from "../../fakes/key-client.ts";
import { createEnvironment } from "../../fakes/token-credentials.ts";
import { assertHonest, failureOf, type Outcome } from "./calls.ts";
import { openWire, type Wire } from "./wire.ts";

/** The key whose way to Cloud KMS is harmed, and one of another rule that must not notice. */
export const SHOP_KEY = "projects/shop/locations/global/keyRings/sops/cryptoKeys/prod";
export const BANK_KEY = "projects/bank/locations/global/keyRings/sops/cryptoKeys/prod";

/** A clock's turn is far less than what is promised, and the last one may end late by one. */
const STEP_MS = 100;
/** Enough turns of the event loop for an exchange over loopback within this process. */
const TURNS_PER_STEP = 60;
/** Its tokens' times are told by our clock alone, not by that of a library. */
const METADATA = { type: "metadata" };
/** How soon service is back once the fault is gone: `docs/kms.md` says five seconds between probes. */
const RECOVERY_MS = 30_000;
const RECONNECT_MS = 10_000;

export interface FaultBenchOptions {
  readonly transport?: "rest" | "grpc";
  /** Of the shop's rule, more or instead. */
  readonly kms?: object;
  /** Then the shop's rule speaks TLS, and trusts whom `ca` signed. */
  readonly tls?: { readonly server: TestCertificate; readonly ca: TestCertificate };
  /** The token source of both rules, with the emulator's key file; the metadata server's where left out. */
  readonly source?: object;
  /** False where the way to Cloud KMS is bad from the beginning. */
  readonly startsWell?: boolean;
  /** How long the clocks stand still for each call before they go on, in real time: for disks, which no test turns. */
  readonly realMs?: number;
  /** What keeps account of the calls. */
  readonly audit?: (clock: FakeClock) => Promise<{ readonly audit: Audit; close(): Promise<void> }>;
  /** Goes into the config, such as `google` and `limits`. */
  readonly config?: object;
}

/**
 * A whole server, on a unix socket, between a gRPC client and the emulator. The shop's rule reaches Cloud KMS by a wire
 * that can be harmed, the bank's directly. Two clocks, ours and Google's, which only the test turns.
 */
export interface FaultBench extends AsyncDisposable {
  readonly clock: FakeClock;
  readonly googleClock: FakeClock;
  readonly emulator: Emulator;
  readonly wire: Wire;
  readonly client: KeyClient;
  /** Where the server listens. */
  readonly socketPath: string;
  readonly warnings: readonly string[];
  readonly dataKey: Buffer;
  /** The data key by the shop's key, made while all was well. */
  readonly ciphertext: Buffer;
  /** One call; the clocks go on while it waits. It is asserted to be honest. */
  call(operation: Operation, key?: string): Promise<Outcome>;
  /** Many at once; encrypts are of different data keys. */
  calls(operation: Operation, count: number): Promise<readonly Outcome[]>;
  /** Both clocks go on until `work` is done. */
  drive<T>(work: Promise<T>): Promise<T>;
  pass(ms: number): Promise<void>;
  /** Called when the bench is disposed of, before the rest. */
  atEnd(then: () => void): void;
  /** The other rule's calls are answered. */
  assertBankIsServed(): Promise<void>;
  /** Takes every fault away, and asserts that the shop's calls are soon answered again, with the same data key. */
  assertRecovers(): Promise<void>;
}

export async function openFaultBench(options: FaultBenchOptions = {}): Promise<FaultBench> {
  const opened = new AsyncDisposableStack();
  try {
    return await open(options, opened);
  } catch (thrown) {
    await opened.disposeAsync();
    throw thrown;
  }
}

async function open(options: FaultBenchOptions, opened: AsyncDisposableStack): Promise<FaultBench> {
  const directory = mkdtempSync(join(tmpdir(), "keyd-faults-"));
  opened.defer(() => rmSync(directory, { recursive: true }));
  const startMs = Date.now();
  const [clock, googleClock] = [createFakeClock({ startMs }), createFakeClock({ startMs })];
  const emulator = await startEmulator({ clock: googleClock, ...(options.tls && { tls: options.tls.server }) });
  opened.defer(() => emulator.close());
  const wire = opened.use(await openWire(emulator.port, clock));
  // When the server has ended and before the wire does: what is open then, the server has left open.
  opened.defer(() => eventually(5_000, "connections to Cloud KMS are closed", () => wire.open === 0));
  const warnings: string[] = [];
  const socket = join(directory, "keyd.sock");
  if (options.tls !== undefined) writeFileSync(join(directory, "ca.pem"), options.tls.ca.certificate);
  const document = Buffer.from(JSON.stringify(configFor(emulator, wire, options)));
  const { config } = parseConfig(document, join(directory, "config.yaml"));
  const surroundings = {
    environment: createEnvironment(),
    clock,
    warn: (message: string) => void warnings.push(message),
    userAgent: "sops-keyd/test",
  };
  const assembly = assemble(config, surroundings);
  opened.defer(() => assembly.close());
  const account = await options.audit?.(clock);
  opened.defer(() => account?.close());
  const record = () => {};
  const unbounded = createKeyService(
    () => assembly,
    clock,
    record,
    () => account?.audit,
  );
  const service = createBoundedKeyService(unbounded, () => config.limits.maxCalls);
  const listener = { kind: "unix", path: socket, mode: 0o600, group: undefined, caller: undefined } as const;
  const server = await startServer([listener], config.limits, service, clock);
  opened.defer(async () => void (await server.drain()));
  const client = createKeyClient(`unix://${socket}`);
  opened.defer(() => client.close());
  const dataKey = randomBytes(32);
  const { realMs = 0 } = options;

  async function pass(ms: number): Promise<void> {
    googleClock.advance(ms);
    await clock.pass(ms);
    for (let turn = 0; turn < TURNS_PER_STEP; turn += 1) await settle();
    // Keys sign in threads: they get their time as well.
    await Promise.all(Array.from({ length: 8 }, () => stat("/")));
  }

  async function drive<T>(work: Promise<T>): Promise<T> {
    let done = false;
    work
      .finally(() => {
        done = true;
      })
      .catch(() => {});
    for (let turn = 0; turn < TURNS_PER_STEP && !done; turn += 1) await settle();
    const untilMs = performance.now() + realMs;
    while (!done && performance.now() < untilMs) await settle();
    while (!done) await pass(STEP_MS);
    return await work;
  }

  async function perform(operation: Operation, key: string, payload: Buffer): Promise<Outcome> {
    const startedMs = clock.monotonicMs();
    const tookMs = () => clock.monotonicMs() - startedMs;
    return await client[operation]({ gcpKmsKey: { resourceId: key } }, payload).then(
      (bytes): Outcome => ({ ok: true, bytes, tookMs: tookMs() }),
      (thrown: ServiceError) => failureOf(thrown, tookMs()),
    );
  }

  async function expectOk(operation: Operation, key: string, payload: Buffer): Promise<Buffer> {
    const outcome = await drive(perform(operation, key, payload));
    assert.ok(outcome.ok, `all is well, and ${operation} of ${key} failed: ${JSON.stringify(outcome)}`);
    return outcome.bytes;
  }

  const ciphertext =
    options.startsWell === false ? Buffer.from("bm8ga2V5") : await expectOk("encrypt", SHOP_KEY, dataKey);

  async function calls(operation: Operation, count: number, key = SHOP_KEY): Promise<readonly Outcome[]> {
    // Each with a data key of its own: identical calls would be one of Cloud KMS'.
    const payload = () => (operation === "encrypt" ? randomBytes(32) : ciphertext);
    const right = operation === "decrypt" && key === SHOP_KEY ? dataKey : undefined;
    const outcomes = await drive(Promise.all(Array.from({ length: count }, () => perform(operation, key, payload()))));
    const deadlineMs = DEFAULT_DEADLINE_MS + STEP_MS;
    for (const outcome of outcomes) assertHonest(outcome, { operation, key, deadlineMs, right });
    return outcomes;
  }

  return {
    clock,
    googleClock,
    emulator,
    wire,
    client,
    socketPath: socket,
    warnings,
    dataKey,
    ciphertext,
    drive,
    pass,
    calls,
    async call(operation, key) {
      const [outcome] = await calls(operation, 1, key);
      return outcome ?? assert.fail();
    },
    async assertBankIsServed() {
      assert.deepEqual(await expectOk("decrypt", BANK_KEY, await expectOk("encrypt", BANK_KEY, dataKey)), dataKey);
    },
    async assertRecovers() {
      emulator.admin.clearFaults();
      await wire.harm(undefined);
      const endMs = clock.monotonicMs() + RECOVERY_MS;
      // grpc-js connects again after times of its own, which no test turns.
      const realEndMs = performance.now() + RECONNECT_MS;
      let outcome = await drive(perform("decrypt", SHOP_KEY, ciphertext));
      while (!outcome.ok && (clock.monotonicMs() < endMs || performance.now() < realEndMs)) {
        await pass(STEP_MS);
        outcome = await drive(perform("decrypt", SHOP_KEY, ciphertext));
      }
      assert.ok(outcome.ok, `the fault is gone, and calls still fail: ${JSON.stringify(outcome)}`);
      assert.deepEqual(outcome.bytes, dataKey);
    },
    atEnd: (then) => opened.defer(then),
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}

function configFor({ url, tlsUrl, files }: Emulator, wire: Wire, options: FaultBenchOptions): object {
  const { transport = "rest", kms, config, source } = options;
  const ofWire = `${tlsUrl === undefined ? "http" : "https"}://127.0.0.1:${wire.port}`;
  return {
    version: 1,
    tokenSources: { machine: source === undefined ? METADATA : { ...source, file: files.serviceAccount } },
    rules: [
      {
        name: "shop",
        match: "projects/shop/locations/*/keyRings/*/cryptoKeys/*",
        tokenSource: "machine",
        kms: { endpoint: ofWire, transport, ...(tlsUrl === undefined ? {} : { caFile: "ca.pem" }), ...kms },
      },
      { name: "bank", match: "projects/bank/locations/*/keyRings/*/cryptoKeys/*", tokenSource: "machine" },
    ],
    google: { endpoints: { kms: url, oauth2: url, sts: url, iamCredentials: url, metadata: url } },
    ...config,
  };
}
