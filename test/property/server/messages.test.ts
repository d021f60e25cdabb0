import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { decodeKeyRequest, encodeKeyAnswer } from "../../../src/server/messages.ts";
import { KEY_SERVICE } from "../../../src/server/protocol.ts";
import { encodeBytesField } from "../../../src/server/wire-format.ts";
import { anyKey, anyPayload } from "../../fakes/key-arbitraries.ts";
import { loadKeyService } from "../../fakes/key-messages.ts";

const peer = loadKeyService();
const { Encrypt, Decrypt } = peer;

describe("our encoding, beside that of protobufjs over the proto file,", () => {
  test("has the same methods", () => {
    assert.deepEqual(Object.keys(KEY_SERVICE), Object.keys(peer));
    for (const name of ["Encrypt", "Decrypt"] as const) {
      const { path, requestStream, responseStream } = KEY_SERVICE[name];
      assert.deepEqual([path, requestStream, responseStream], [peer[name].path, false, false]);
    }
  });

  test("reads what protobufjs writes", () => {
    fc.assert(
      fc.property(anyKey, anyPayload, ({ message, key }, payload) => {
        const encrypt = Encrypt.requestSerialize({ key: message, plaintext: payload });
        assert.deepEqual(decodeKeyRequest(encrypt), { key, payload });
        const decrypt = Decrypt.requestSerialize({ key: message, ciphertext: payload });
        assert.deepEqual(decodeKeyRequest(decrypt), { key, payload });
      }),
    );
  });

  test("writes what protobufjs reads", () => {
    fc.assert(
      fc.property(anyPayload, (payload) => {
        const message = encodeKeyAnswer(payload);
        assert.deepEqual(Encrypt.responseDeserialize(message), { ciphertext: payload });
        assert.deepEqual(Decrypt.responseDeserialize(message), { plaintext: payload });
      }),
    );
  });

  test("writes lengths of every size as protobufjs does", () => {
    for (const length of [1, 127, 128, 16_383, 16_384, 70_000]) {
      const payload = Buffer.alloc(length, 7);
      assert.deepEqual(encodeKeyAnswer(payload), Encrypt.responseSerialize({ ciphertext: payload }));
    }
  });

  test("passes over fields of all types that it does not know, wherever they are", () => {
    const unknown = fc.oneof(
      fc.uint8Array({ maxLength: 40 }).map((bytes) => encodeBytesField(15, bytes)),
      fc.constantFrom(
        Buffer.of(0x78, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01),
        Buffer.of(0x79, 1, 2, 3, 4, 5, 6, 7, 8),
        Buffer.of(0x7d, 1, 2, 3, 4),
        Buffer.of(0x7b, 0x08, 0x01, 0x13, 0x14, 0x7c),
        // Fields that we know, of a type that is not theirs.
        Buffer.of(0x08, 0x05),
        Buffer.of(0x15, 1, 2, 3, 4),
      ),
    );
    fc.assert(
      fc.property(anyKey, anyPayload, fc.array(unknown, { maxLength: 4 }), ({ message, key }, payload, more) => {
        const known = Encrypt.requestSerialize({ key: message, plaintext: payload });
        assert.deepEqual(decodeKeyRequest(Buffer.concat([...more, known])), { key, payload });
        assert.deepEqual(decodeKeyRequest(Buffer.concat([known, ...more])), { key, payload });
      }),
    );
  });

  test("takes the last of the kinds of key, as the specification says of a oneof", () => {
    fc.assert(
      fc.property(anyKey, anyKey, anyPayload, (first, second, payload) => {
        fc.pre(first.key.type !== second.key.type);
        const keys = [first, second].map(({ message }) => Encrypt.requestSerialize({ key: message }));
        const message = Buffer.concat([...keys, Encrypt.requestSerialize({ plaintext: payload })]);
        assert.deepEqual(decodeKeyRequest(message), { key: second.key, payload });
      }),
    );
  });
});
