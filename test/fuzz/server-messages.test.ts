import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { KeyServiceError } from "../../src/core/errors.ts";
import { decodeHealthAnswer, decodeHealthRequest } from "../../src/server/health-messages.ts";
import { decodeKeyRequest, type KeyRequest } from "../../src/server/messages.ts";
import { WireFormatError } from "../../src/server/wire-format.ts";
import { anyKey, anyPayload } from "../fakes/key-arbitraries.ts";
import { type KeyMessage, loadKeyService } from "../fakes/key-messages.ts";

// FUZZ_SEED and FUZZ_RUNS repeat or prolong a run.
const seed = Number(process.env["FUZZ_SEED"] ?? Date.now() % 2 ** 31);
const numRuns = Number(process.env["FUZZ_RUNS"] ?? 5000);

const peer = loadKeyService();
const request = fc
  .tuple(anyKey, anyPayload)
  .map(([{ message }, plaintext]) => peer.Encrypt.requestSerialize({ key: message, plaintext }));
const anyBytes = fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes));
/** A good request with some of it cut out and something else put there. */
const mutated = fc
  .tuple(request, fc.nat(500), fc.nat(3), fc.uint8Array({ maxLength: 3 }))
  .map(([good, at, cut, insert]) => Buffer.concat([good.subarray(0, at), insert, good.subarray(at + cut)]));
const input = fc.oneof(mutated, anyBytes, request);

function tryRequest(bytes: Buffer): KeyRequest | undefined {
  try {
    return decodeKeyRequest(bytes);
  } catch (thrown) {
    if (!(thrown instanceof KeyServiceError)) throw thrown;
    assert.match(thrown.code, /^(payload_invalid|key_type_unsupported)$/);
    return undefined;
  }
}

/** What protobufjs reads, where these are the very bytes that it would write. Else it is more lenient than we are. */
function tryPeer(bytes: Buffer): PeerRequest | undefined {
  try {
    const decoded = peer.Encrypt.requestDeserialize(bytes);
    return peer.Encrypt.requestSerialize(decoded).equals(bytes) ? (decoded as PeerRequest) : undefined;
  } catch {
    return undefined;
  }
}

interface PeerRequest {
  readonly key?: KeyMessage | null;
  readonly plaintext: Buffer;
}

test("whatever bytes come, they are a request or refused as one", () => {
  let compared = 0;
  fc.assert(
    fc.property(input, (bytes) => {
      const before = Buffer.from(bytes);
      const decoded = tryRequest(bytes);
      assert.deepEqual(bytes, before);
      const same = tryPeer(bytes);
      if (same?.key?.gcpKmsKey === undefined) return;
      assert.deepEqual(decoded, { key: { type: "gcp_kms", ...same.key.gcpKmsKey }, payload: same.plaintext });
      compared += 1;
    }),
    { seed, numRuns },
  );
  assert.ok(compared > numRuns / 100, `only ${compared} could be compared`);
});

test("whatever bytes come, they are a health message or refused as one", () => {
  for (const decode of [decodeHealthRequest, decodeHealthAnswer]) {
    fc.assert(
      fc.property(anyBytes, (bytes) => {
        try {
          decode(bytes);
        } catch (thrown) {
          assert.ok(thrown instanceof WireFormatError, `${thrown}`);
        }
      }),
      { seed, numRuns },
    );
  }
});
