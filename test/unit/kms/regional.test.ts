import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { regionOfEndpoint } from "../../../src/config/endpoint.ts";
import { KeyServiceError } from "../../../src/core/errors.ts";
import { boundCalls } from "../../../src/kms/bounded.ts";
import type { KmsClient } from "../../../src/kms/kms-client.ts";
import { checkLocation } from "../../../src/kms/regional.ts";
import { parseCryptoKeyName } from "../../../src/routing/resource-name.ts";
import { createFakeTokenHolder } from "../../fakes/token-holder.ts";

const HOST = "cloudkms.europe-west1.rep.googleapis.com";

function callFor(location: string) {
  const key = parseCryptoKeyName(`projects/p/locations/${location}/keyRings/r/cryptoKeys/k`);
  return { key, tokens: createFakeTokenHolder(), reason: undefined, signal: new AbortController().signal };
}

/** A client whose calls wait until the test lets them go. */
function createWaitingClient() {
  const waiting: (() => void)[] = [];
  const wait = () => new Promise<void>((resolve) => waiting.push(resolve));
  const client: KmsClient = {
    encrypt: async () => {
      await wait();
      return { ciphertext: Buffer.of(1), keyVersion: "v" };
    },
    decrypt: async () => {
      await wait();
      return { plaintext: Buffer.of(1) };
    },
    close: async () => {},
  };
  return { client, waiting };
}

describe("a regional endpoint", () => {
  for (const [host, region] of [
    [HOST, "europe-west1"],
    ["cloudkms.europe-west1.p.rep.googleapis.com", "europe-west1"],
    ["cloudkms.eu.rep.example.cloud", "eu"],
    ["cloudkms.googleapis.com", undefined],
    ["cloudkms-psc.p.googleapis.com", undefined],
    ["127.0.0.1", undefined],
  ] as const) {
    test(`is told by its name: ${host}`, () => assert.equal(regionOfEndpoint({ host }), region));
  }

  test("is not asked for a key of another location, and the error says what to do", async () => {
    const { client, waiting } = createWaitingClient();
    const regional = checkLocation(client, "europe-west1", HOST);
    for (const work of [
      regional.encrypt(Buffer.of(1), callFor("global")),
      regional.decrypt(Buffer.of(1), callFor("global")),
    ]) {
      await assert.rejects(work, (thrown: unknown) => {
        assert.ok(thrown instanceof KeyServiceError);
        assert.equal(thrown.code, "kms_precondition_failed");
        assert.match(thrown.message, /serves keys in europe-west1 only, and this key lies in global\n/);
        assert.match(thrown.message, /to do: write locations\/europe-west1 in match of the rule/);
        return true;
      });
    }
    assert.equal(waiting.length, 0);
  });

  test("is asked for keys of its own", async () => {
    const { client, waiting } = createWaitingClient();
    const answer = checkLocation(client, "europe-west1", HOST).decrypt(Buffer.of(1), callFor("europe-west1"));
    waiting[0]?.();
    assert.deepEqual((await answer).plaintext, Buffer.of(1));
  });
});

describe("a rule's bound of calls", () => {
  test("refuses what comes beyond it at once, and lets in again when one has ended", async () => {
    const { client, waiting } = createWaitingClient();
    const bounded = boundCalls(client, "a", 3);
    const calls = Array.from({ length: 3 }, () => bounded.decrypt(Buffer.of(1), callFor("global")));
    await assert.rejects(bounded.encrypt(Buffer.of(1), callFor("global")), {
      code: "overloaded",
      message: /^rule a has 3 calls in flight already, its limit\nto do: .*kms\.maxCalls of the rule/,
    });
    waiting[0]?.();
    await calls[0];
    const next = bounded.encrypt(Buffer.of(1), callFor("global"));
    for (const resolve of waiting.slice(1)) resolve();
    await Promise.all([...calls, next]);
  });
});
