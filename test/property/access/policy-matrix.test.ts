import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { status } from "@grpc/grpc-js";
import fc from "fast-check";
import { callerAt } from "../../../src/access/caller.ts";
import { explainRequest } from "../../../src/access/explanation.ts";
import { type Assembly, assemble } from "../../../src/assembly.ts";
import type { CallContext } from "../../../src/backends/backend.ts";
import type { Config } from "../../../src/config/config.ts";
import { systemClock } from "../../../src/core/clock.ts";
import { KeyServiceError } from "../../../src/core/errors.ts";
import type { EmbeddedTokenSource } from "../../../src/credentials/create.ts";
import { createKeyService } from "../../../src/key-service.ts";
import { createReloadable } from "../../../src/server/reloadable.ts";
import { startServer } from "../../../src/server/server.ts";
import { createKeyClient, type KeyClient } from "../../fakes/key-client.ts";
import { createEnvironment } from "../../fakes/token-credentials.ts";
import { loadPolicy, ORIGINS } from "./policy-config.ts";
import { evaluate, KEYS, OPERATIONS, type Operation, type PolicyDocument, policyDocument } from "./policy-reference.ts";

/** Of which at least 200 are to be asked in full; the generator is seeded, so that a failure can be seen again. */
const POLICIES = 240;
const SEED = 20_260_101;

/** Where a request goes that the policy lets through: it has no token to offer, so nothing is asked of Cloud KMS. */
const dryWell: EmbeddedTokenSource = () => ({
  fetchToken: () => Promise.reject(new KeyServiceError("credential_missing", { problem: "dry", remedy: "none" })),
});
const SURROUNDINGS = {
  environment: createEnvironment(),
  clock: systemClock,
  warn() {},
  userAgent: "test",
  tokenSources: new Map([["well", dryWell]]),
};

/** The policies that load. */
async function setUp(t: TestContext) {
  const directory = mkdtempSync(join(tmpdir(), "matrix-"));
  const policies = fc.sample(policyDocument, { numRuns: 3 * POLICIES, seed: SEED }).flatMap((policy) => {
    const config = loadPolicy(policy, directory);
    return config === undefined ? [] : [{ policy, config }];
  });
  assert.ok(policies.length >= POLICIES, `only ${policies.length} policies load`);
  t.after(() => rmSync(directory, { recursive: true }));
  return policies.slice(0, POLICIES);
}

function* questions(): Generator<{ readonly key: string; readonly operation: Operation }> {
  for (const key of KEYS) for (const operation of OPERATIONS) yield { key, operation };
}

/** What came of a call: `well` where it was let through, or the status of the refusal. */
async function ask(client: KeyClient, key: string, operation: Operation): Promise<string> {
  try {
    await client[operation]({ gcpKmsKey: { resourceId: key } }, Buffer.from("cGF5bG9hZA=="));
    return "answered";
  } catch (thrown) {
    const { code, details } = thrown as { code: status; details: string };
    return code === status.FAILED_PRECONDITION ? `let through\n${details}` : `${status[code]}\n${details}`;
  }
}

test("the server over gRPC, explain and the reference agree on every request of every policy", async (t) => {
  const policies = await setUp(t);
  const [first = assert.fail()] = policies;
  const state = createReloadable(assemble(first.config, SURROUNDINGS));
  const service = createKeyService(state.current, systemClock, () => {});
  const { listeners, limits } = first.config;
  const server = await startServer(listeners, limits, service, systemClock);
  const clients = server.addresses.map(createKeyClient);
  t.after(async () => {
    for (const client of clients) client.close();
    await server.drain();
    await state.close();
  });

  const seen = { allowed: 0, refused: 0 };
  for (const { policy, config } of policies) {
    await state.swap(assemble(config, SURROUNDINGS));
    const compared = clients.flatMap((client, index) =>
      [...questions()].map(async (question) => {
        seen[await compareAll(client, policy, config, { ...question, caller: ORIGINS[index] })] += 1;
      }),
    );
    await Promise.all(compared);
  }
  t.diagnostic(`${policies.length} policies: ${seen.allowed} requests allowed, ${seen.refused} refused`);
  assert.ok(seen.allowed > 2_000 && seen.refused > 2_000, JSON.stringify(seen));
});

interface Asked {
  readonly key: string;
  readonly operation: Operation;
  readonly caller: string | undefined;
}

async function compareAll(
  client: KeyClient,
  policy: PolicyDocument,
  config: Config,
  { key, operation, caller }: Asked,
): Promise<"allowed" | "refused"> {
  const names = caller === undefined ? [] : [caller];
  const expected = evaluate(policy, { key, names, operation, isLocal: true });
  const where = JSON.stringify({ policy, key, operation, caller });
  const explanation = explainRequest(config, key, caller, operation);
  const answer = await ask(client, key, operation);
  if (expected === undefined) {
    assert.equal(explanation.decision, "refused", where);
    assert.ok(answer.startsWith(`PERMISSION_DENIED\n${explanation.reason}\n`), `${where}\n${answer}`);
    return "refused";
  }
  assert.deepEqual([explanation.decision, explanation.rule], ["allowed", expected], where);
  assert.match(answer, new RegExp(`^let through\n[^]*rule: ${expected},`), where);
  return "allowed";
}

test("the key service agrees with the reference for callers with several names, and from other machines", async (t) => {
  const policies = await setUp(t);
  const namings: readonly (readonly string[])[] = [[], ["team-a"], ["team-a", "operator"], ["team-b", "team-a"]];
  let compared = 0;
  for (const { policy, config } of policies) {
    const assembly = assemble(config, SURROUNDINGS);
    for (const names of namings) {
      for (const isLocal of [true, false]) {
        for (const { key, operation } of questions()) {
          const expected = evaluate(policy, { key, names, operation, isLocal });
          const rule = await ruleLettingThrough(assembly, key, operation, contextOf(names, isLocal));
          assert.equal(rule, expected, JSON.stringify({ policy, key, operation, names, isLocal }));
          compared += 1;
        }
      }
    }
    await assembly.close();
  }
  assert.equal(compared, POLICIES * namings.length * 2 * KEYS.length * OPERATIONS.length);
});

function contextOf(names: readonly string[], listenerIsLocal: boolean): CallContext {
  const caller = { ...callerAt("tcp://192.0.2.1:1", undefined), names };
  return { caller, listenerIsLocal, signal: new AbortController().signal };
}

async function ruleLettingThrough({ gcpKms }: Assembly, key: string, operation: Operation, context: CallContext) {
  try {
    await gcpKms[operation]({ type: "gcp_kms", resourceId: key }, Buffer.from("cGF5bG9hZA=="), context);
    return assert.fail("answered");
  } catch (thrown) {
    assert.ok(thrown instanceof KeyServiceError, String(thrown));
    if (thrown.code === "credential_missing") return thrown.detail.rule;
    assert.ok(["rule_not_found", "caller_not_allowed"].includes(thrown.code), thrown.code);
    return undefined;
  }
}
