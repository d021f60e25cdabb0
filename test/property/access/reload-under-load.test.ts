import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { status } from "@grpc/grpc-js";
import fc from "fast-check";
import { assemble } from "../../../src/assembly.ts";
import type { Config } from "../../../src/config/config.ts";
import { systemClock } from "../../../src/core/clock.ts";
import type { EmbeddedTokenSource } from "../../../src/credentials/create.ts";
import { createKeyService } from "../../../src/key-service.ts";
import { createReloadable } from "../../../src/server/reloadable.ts";
import { startServer } from "../../../src/server/server.ts";
import { createKeyClient, type KeyClient } from "../../fakes/key-client.ts";
import { decryptReply, encryptReply, type KmsEndpoint, startKmsEndpoint } from "../../fakes/kms-endpoint.ts";
import { createEnvironment } from "../../fakes/token-credentials.ts";
import { loadPolicy, ORIGINS } from "./policy-config.ts";
import { evaluate, KEYS, OPERATIONS, type PolicyDocument, policyDocument } from "./policy-reference.ts";

const RELOADS = 1_000;
const POLICIES = 60;
const WORKERS = 4;
const CALLS_PER_RELOAD = 4;
const SEED = 20_260_102;
const DATA_KEY = Buffer.alloc(32, 7);

interface Loaded {
  readonly policy: PolicyDocument;
  readonly config: Config;
}

const fountain: EmbeddedTokenSource = () => ({
  fetchToken: () => Promise.resolve({ accessToken: "token", expiresAtMs: Date.now() + 3_600_000 }),
});

async function setUp(t: TestContext) {
  const directory = mkdtempSync(join(tmpdir(), "reload-"));
  const kms = await startKmsEndpoint((request) =>
    request.path.endsWith(":encrypt") ? encryptReply(request, Buffer.from("ciphertext")) : decryptReply(DATA_KEY),
  );
  const loaded = fc.sample(openPolicy, { numRuns: 20 * POLICIES, seed: SEED }).flatMap((policy) => {
    if (!isOfTwoMinds(policy)) return [];
    const config = loadPolicy(policy, directory, { google: { endpoints: { kms: kms.url } } });
    return config === undefined ? [] : [{ policy, config }];
  });
  t.after(() => rmSync(directory, { recursive: true }));
  assert.ok(loaded.length >= POLICIES, `only ${loaded.length} policies`);
  return { kms, loaded: loaded.slice(0, POLICIES) };
}

/** With a last rule that lets everybody in: of policies that refuse nearly all, no two in a row would allow a call. */
const openPolicy = policyDocument.map(
  ({ deny, rules }): PolicyDocument => ({
    deny,
    rules: [...rules, { name: "rest", match: "projects/*/locations/*/keyRings/*/cryptoKeys/*" }],
  }),
);

function isOfTwoMinds(policy: PolicyDocument): boolean {
  const answers = ORIGINS.flatMap((caller) =>
    KEYS.flatMap((key) =>
      OPERATIONS.map((operation) =>
        evaluate(policy, { key, names: caller === undefined ? [] : [caller], operation, isLocal: true }),
      ),
    ),
  );
  const allowed = answers.filter((rule) => rule !== undefined).length / answers.length;
  return allowed > 0.35 && allowed < 0.75;
}

async function startReloadableServer(t: TestContext, first: Config, kms: KmsEndpoint) {
  const surroundings = {
    environment: createEnvironment(),
    clock: systemClock,
    warn() {},
    userAgent: "test",
    tokenSources: new Map([["well", fountain]]),
  };
  const state = createReloadable(assemble(first, surroundings));
  const service = createKeyService(state.current, systemClock, () => {});
  const server = await startServer(first.listeners, first.limits, service, systemClock);
  const clients = server.addresses.map(createKeyClient);
  t.after(async () => {
    for (const client of clients) client.close();
    await server.drain();
    await state.close();
    kms.close();
  });
  return { clients, swap: (next: Config) => state.swap(assemble(next, surroundings)) };
}

test("over 1,000 reloads no call fails that all configs in force allow, and none passes that all refuse", async (t) => {
  const { kms, loaded } = await setUp(t);
  const [first = assert.fail()] = loaded;
  const { clients, swap } = await startReloadableServer(t, first.config, kms);
  /** Every config that was ever in force, the newest last. */
  const history: Loaded[] = [first];
  const counts = { allowed: 0, refused: 0, between: 0 };
  let calls = 0;
  let onCall = () => {};
  let ended = false;

  async function work(worker: number): Promise<void> {
    for (let turn = worker; !ended; turn += 7) {
      const index = turn % ORIGINS.length;
      const client = clients[index] ?? assert.fail();
      const caller = ORIGINS[index];
      const key = KEYS[turn % KEYS.length] ?? assert.fail();
      const operation = OPERATIONS[turn % 3 === 0 ? 0 : 1];
      const begun = history.length - 1;
      const passed = await passes(client, key, operation);
      const names = caller === undefined ? [] : [caller];
      const inForce = history.slice(begun).map(({ policy }) => policy);
      const allowing = inForce.filter((policy) => evaluate(policy, { key, names, operation, isLocal: true }));
      counts[judge(passed, allowing.length, inForce.length)] += 1;
      calls += 1;
      onCall();
    }
  }

  const workers = Array.from({ length: WORKERS }, (_, worker) => work(worker));
  const failed = Promise.race(workers.map((worker) => worker.then(() => new Promise<never>(() => {}))));
  const closings: Promise<void>[] = [];
  for (let reload = 1; reload <= RELOADS; reload++) {
    const next = loaded[(reload * 17) % loaded.length] ?? assert.fail();
    closings.push(swap(next.config));
    history.push(next);
    const due = calls + CALLS_PER_RELOAD;
    const { promise, resolve } = Promise.withResolvers<void>();
    onCall = () => (calls >= due ? resolve() : undefined);
    await Promise.race([promise, failed]);
  }
  ended = true;
  await Promise.all(workers);
  await Promise.all(closings);
  t.diagnostic(`${RELOADS} reloads, ${calls} calls: ${JSON.stringify(counts)}`);
  assert.ok(counts.allowed > 200 && counts.refused > 200 && counts.between > 200, JSON.stringify(counts));
});

/** @returns how the configs in force were of one mind, or were not; fails where the call went against that */
function judge(passed: boolean, allowing: number, inForce: number): "allowed" | "refused" | "between" {
  if (allowing === inForce) {
    assert.equal(passed, true, "a call failed that every config in force allows");
    return "allowed";
  }
  if (allowing > 0) return "between";
  assert.equal(passed, false, "a call passed that every config in force refuses");
  return "refused";
}

async function passes(client: KeyClient, key: string, operation: "encrypt" | "decrypt"): Promise<boolean> {
  try {
    await client[operation]({ gcpKmsKey: { resourceId: key } }, Buffer.from("cGF5bG9hZA=="));
    return true;
  } catch (thrown) {
    const { code, details } = thrown as { code: status; details: string };
    // Whatever else goes wrong is a failure of a call that was allowed.
    assert.equal(status[code], "PERMISSION_DENIED", details);
    return false;
  }
}
