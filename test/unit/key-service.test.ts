import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { callerAt } from "../../src/access/caller.ts";
import type { KeyBackend } from "../../src/backends/backend.ts";
import type { GcpKmsKey, SopsKey, UnsupportedKey } from "../../src/backends/sops-key.ts";
import { KeyServiceError } from "../../src/core/errors.ts";
import { type CallContext, createBoundedKeyService, createKeyService, type KeyService } from "../../src/key-service.ts";
import type { CallRecord } from "../../src/telemetry/call-record.ts";
import { createFakeClock } from "../fakes/clock.ts";

const GCP_KEY: SopsKey = { type: "gcp_kms", resourceId: "projects/p/locations/global/keyRings/r/cryptoKeys/k" };
const CONTEXT: CallContext = {
  caller: callerAt("unix:///x", "team-a"),
  listenerIsLocal: true,
  signal: new AbortController().signal,
};

const UNSUPPORTED: readonly { readonly key: UnsupportedKey; readonly words: RegExp }[] = [
  { key: { type: "aws_kms", arn: "arn:aws:kms:eu-west-1:1:key/k" }, words: /a key of AWS KMS\nkey: arn:aws/ },
  { key: { type: "pgp", fingerprint: "F00D" }, words: /a key of PGP\nkey: F00D/ },
  {
    key: { type: "azure_keyvault", vaultUrl: "https://v", name: "n", version: "1" },
    words: /Azure[\s\S]*https:\/\/v\/keys\/n\/1/,
  },
  {
    key: { type: "vault", vaultAddress: "https://v", enginePath: "t", keyName: "n" },
    words: /Vault[\s\S]*v1\/t\/keys\/n/,
  },
  { key: { type: "age", recipient: "age1x" }, words: /a key of age\nkey: age1x/ },
  { key: { type: "hckms", keyId: "h" }, words: /Huawei/ },
];

function setUp(answer: KeyBackend<GcpKmsKey>["encrypt"]) {
  const records: CallRecord[] = [];
  const clock = createFakeClock();
  const gcpKms = { encrypt: answer, decrypt: answer };
  const service = createKeyService(
    () => ({ identify: (caller) => caller, authenticate: () => Promise.reject(new Error("no token")), gcpKms }),
    clock,
    (call) => records.push(call),
  );
  return { service, records, clock };
}

describe("the key service", () => {
  test("records an answered call with everything but its payload", async () => {
    const { service, records, clock } = setUp(() => {
      clock.advance(12);
      return Promise.resolve({ bytes: Buffer.from("PAYLOAD"), rule: "r", source: "s", principal: "p" });
    });
    assert.deepEqual(await service.decrypt(GCP_KEY, Buffer.from("CIPHERTEXT"), CONTEXT), Buffer.from("PAYLOAD"));
    const [{ requestId, ...record } = assert.fail()] = records;
    assert.match(requestId, /^[0-9a-f-]{36}$/);
    assert.deepEqual(record, {
      operation: "decrypt",
      key: "projects/p/locations/global/keyRings/r/cryptoKeys/k",
      caller: CONTEXT.caller,
      rule: "r",
      source: "s",
      principal: "p",
      outcome: "ok",
      latencyMs: 12,
    });
  });

  test("records a failed call with its code", async () => {
    const { service, records } = setUp(() => Promise.reject(new KeyServiceError("kms_throttled", { problem: "no" })));
    await assert.rejects(service.encrypt(GCP_KEY, Buffer.from("x"), CONTEXT));
    assert.equal(records[0]?.outcome, "kms_throttled");
  });

  for (const { key, words } of UNSUPPORTED) {
    test(`says what to do about a key of type ${key.type}`, async () => {
      const { service, records } = setUp(() => assert.fail("the backend of Cloud KMS was asked"));
      await assert.rejects(service.decrypt(key, Buffer.from("x"), CONTEXT), (thrown: unknown) => {
        assert.ok(thrown instanceof KeyServiceError);
        assert.equal(thrown.code, "key_type_unsupported");
        assert.match(thrown.message, words);
        assert.match(thrown.message, /unset SOPS_ENABLE_LOCAL_KEYSERVICE/);
        return true;
      });
      assert.equal(records[0]?.outcome, "key_type_unsupported");
    });
  }
});

describe("a bounded key service", () => {
  test("refuses the call beyond its limit, which a reload may change, and takes the next when one has ended", async () => {
    let maxCalls = 2;
    const ends: (() => void)[] = [];
    const work = () => new Promise<Buffer>((resolve) => ends.push(() => resolve(Buffer.from("x"))));
    const refused: (readonly [string, string])[] = [];
    const inner: KeyService = {
      encrypt: work,
      decrypt: work,
      refused: (operation, _key, _caller, error) => refused.push([operation, error.code]),
    };
    const service = createBoundedKeyService(inner, () => maxCalls);
    const call = () => service.decrypt(GCP_KEY, Buffer.from("c"), CONTEXT);
    const [first, second] = [call(), call()];
    await assert.rejects(call(), { code: "overloaded" });
    assert.deepEqual(refused, [["decrypt", "overloaded"]]);
    ends[0]?.();
    await first;
    const third = call();
    for (const end of ends) end();
    assert.deepEqual(await Promise.all([second, third]), [Buffer.from("x"), Buffer.from("x")]);
    maxCalls = 0;
    await assert.rejects(call(), { code: "overloaded" });
  });
});
