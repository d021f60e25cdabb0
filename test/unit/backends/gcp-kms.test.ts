import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { describe, test } from "node:test";
import fc from "fast-check";
import { callerAt } from "../../../src/access/caller.ts";
import { createGcpKmsBackend } from "../../../src/backends/gcp-kms.ts";
import { KeyServiceError } from "../../../src/core/errors.ts";
import type { CallContext } from "../../../src/key-service.ts";
import { joinIdenticalCalls } from "../../../src/kms/joining.ts";
import type { KmsCall, KmsClient } from "../../../src/kms/kms-client.ts";
import { createFakeClock } from "../../fakes/clock.ts";
import { createFakeKmsClient } from "../../fakes/kms-client.ts";
import { fakeRule } from "../../fakes/rule.ts";
import { createFakeTokenHolder } from "../../fakes/token-holder.ts";

const NAME = "projects/p/locations/global/keyRings/r/cryptoKeys/k";
const KEY = { type: "gcp_kms", resourceId: NAME } as const;
const CONTEXT: CallContext = {
  caller: callerAt("unix:///x", undefined),
  listenerIsLocal: true,
  signal: new AbortController().signal,
};

/** Cloud KMS that "encrypts" by putting a byte in front, and counts how often it is asked. */
function createMirrorKms() {
  const calls: KmsCall[] = [];
  const kms: KmsClient = {
    encrypt(plaintext, call) {
      calls.push(call);
      const ciphertext = Buffer.concat([Buffer.from([7]), plaintext]);
      return Promise.resolve({ ciphertext, keyVersion: `${call.key}/cryptoKeyVersions/1`, principal: "robot" });
    },
    decrypt(ciphertext, call) {
      calls.push(call);
      return Promise.resolve({ plaintext: Buffer.from(ciphertext.subarray(1)), principal: "robot" });
    },
    close: () => Promise.resolve(),
  };
  return { kms, calls };
}

function setUp(kms: KmsClient = createMirrorKms().kms) {
  const clock = createFakeClock();
  const authorised: string[] = [];
  const ended: string[] = [];
  const backend = createGcpKmsBackend(({ key, operation }) => {
    authorised.push(`${operation} ${key}`);
    const rule = { ...fakeRule(), tokens: createFakeTokenHolder(), client: kms };
    return Promise.resolve({ rule, [Symbol.dispose]: () => ended.push(`${operation} ${key}`) });
  }, clock);
  return { backend, authorised, ended, clock };
}

function codeIs(code: string, words: RegExp) {
  return (thrown: unknown) => {
    assert.ok(thrown instanceof KeyServiceError);
    assert.equal(thrown.code, code);
    assert.match(thrown.message, words);
    return true;
  };
}

describe("the backend for Cloud KMS keys", () => {
  test("gives back the place of a call when it has ended, well or not", async () => {
    const { backend, ended } = setUp();
    await backend.encrypt(KEY, Buffer.from("x"), CONTEXT);
    await assert.rejects(backend.decrypt(KEY, Buffer.from("no base64!"), CONTEXT));
    assert.deepEqual(ended, [`encrypt ${NAME}`, `decrypt ${NAME}`]);
  });

  test("speaks base64 text on the wire, both ways", async () => {
    const { backend } = setUp();
    const dataKey = randomBytes(32);
    const { bytes } = await backend.encrypt(KEY, Buffer.from(dataKey), CONTEXT);
    assert.equal(bytes.toString("latin1"), Buffer.concat([Buffer.from([7]), dataKey]).toString("base64"));
    assert.deepEqual((await backend.decrypt(KEY, bytes, CONTEXT)).bytes, dataKey);
  });

  test("gives back every payload that fits", async () => {
    const { backend } = setUp();
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ minLength: 1, maxLength: 200 }), async (payload) => {
        const { bytes } = await backend.encrypt(KEY, Buffer.from(payload), CONTEXT);
        assert.deepEqual((await backend.decrypt(KEY, bytes, CONTEXT)).bytes, Buffer.from(payload));
      }),
    );
  });

  for (const [what, wire] of [
    ["raw bytes of Cloud KMS", randomBytes(80)],
    ["base64url", Buffer.from("-_-_")],
    ["text", Buffer.from("not base64!")],
  ] as const) {
    test(`refuses a ciphertext that is ${what}, before Cloud KMS is asked`, async () => {
      const { kms, calls } = createMirrorKms();
      await assert.rejects(
        setUp(kms).backend.decrypt(KEY, wire, CONTEXT),
        codeIs("payload_invalid", /not standard base64/),
      );
      assert.equal(calls.length, 0);
    });
  }

  test("refuses empty and oversized payloads, before Cloud KMS is asked", async () => {
    const { kms, calls } = createMirrorKms();
    const { backend } = setUp(kms);
    await assert.rejects(backend.encrypt(KEY, Buffer.alloc(0), CONTEXT), codeIs("payload_invalid", /is empty/));
    await assert.rejects(backend.decrypt(KEY, Buffer.alloc(0), CONTEXT), codeIs("payload_invalid", /is empty/));
    await assert.rejects(
      backend.encrypt(KEY, Buffer.alloc(65_537), CONTEXT),
      codeIs("payload_invalid", /more than the 65536/),
    );
    await assert.rejects(
      backend.decrypt(KEY, Buffer.alloc(100_000, "A"), CONTEXT),
      codeIs("payload_invalid", /more than/),
    );
    assert.equal(calls.length, 0);
  });

  test("refuses a name that is not a key's before it looks for a rule", async () => {
    const { backend, authorised } = setUp();
    const key = { type: "gcp_kms", resourceId: `${NAME}/../../evil?x=1` } as const;
    await assert.rejects(
      backend.decrypt(key, Buffer.from("QUJD"), CONTEXT),
      codeIs("key_name_invalid", /is not the name/),
    );
    assert.deepEqual(authorised, []);
  });

  test("adds key, rule and source to what Cloud KMS could not know", async () => {
    const failing: KmsClient = {
      ...createMirrorKms().kms,
      encrypt: () =>
        Promise.reject(new KeyServiceError("kms_unavailable", { problem: "it is down", principal: "robot" })),
    };
    const promise = setUp(failing).backend.encrypt(KEY, Buffer.from("x"), CONTEXT);
    await assert.rejects(
      promise,
      codeIs("kms_unavailable", /^it is down\nkey: projects.*\nrule: everything, token source: fake, as: robot$/),
    );
  });

  test("decides for each caller on its own before it joins their calls", async () => {
    const below = createFakeKmsClient();
    const client = joinIdenticalCalls(below);
    const tokens = createFakeTokenHolder();
    const backend = createGcpKmsBackend(async ({ caller }) => {
      if (caller.names.includes("friend")) {
        return { rule: { ...fakeRule(), tokens, client }, [Symbol.dispose]() {} };
      }
      throw new KeyServiceError("caller_not_allowed", { problem: "not you", remedy: "ask" });
    }, createFakeClock());
    const decryptAs = (name: string) =>
      backend.decrypt(KEY, Buffer.from("QUJD"), { ...CONTEXT, caller: callerAt("unix:///x", name) });
    const friends = [decryptAs("friend"), decryptAs("friend")];
    await assert.rejects(decryptAs("stranger"), codeIs("caller_not_allowed", /not you/));
    assert.equal(below.pending.length, 1);
    below.pending[0]?.answer();
    assert.deepEqual(
      (await Promise.all(friends)).map(({ servedBy }) => servedBy),
      [undefined, "joined"],
    );
  });

  test("gives the call no more time than its rule", async () => {
    const started = Promise.withResolvers<AbortSignal>();
    const hanging: KmsClient = {
      ...createMirrorKms().kms,
      encrypt(_plaintext, { signal }) {
        started.resolve(signal);
        return new Promise((_resolve, reject) => {
          signal.addEventListener("abort", () => reject(signal.reason));
        });
      },
    };
    const { backend, clock } = setUp(hanging);
    const answer = backend.encrypt(KEY, Buffer.from("x"), CONTEXT);
    await started.promise;
    clock.advance(10_000);
    await assert.rejects(answer, codeIs("deadline_exceeded", /the call took longer than 10 s/));
  });
});
