import assert from "node:assert/strict";
import { isUtf8 } from "node:buffer";
import type { SopsKey } from "../../../src/backends/sops-key.ts";
import { decodeHealthAnswer, decodeHealthRequest, SERVING_STATUS } from "../../../src/server/health-messages.ts";
import { decodeKeyRequest, encodeKeyAnswer, type KeyRequest } from "../../../src/server/messages.ts";
import { WireFormatError } from "../../../src/server/wire-format.ts";
import { type KeyMessage, loadKeyService } from "../../fakes/key-messages.ts";
import { expectPublic, expectRefusal } from "../harness/expect.ts";
import type { Target } from "../harness/target.ts";
import { type Field, NoMessage, readFields } from "../references/protobuf.ts";

const DICTIONARY = [
  "\x0a",
  "\x12",
  "\x1a",
  "\x22",
  "\x2a",
  "\x32",
  "\x3a",
  "\x0b",
  "\x0c",
  "\x13\x14",
  "\x09",
  "\x0d",
  "\x08\x01",
  "\x80",
  "\u00ff\u00ff\u00ff\u00ff\u000f",
  "projects/p/locations/global/keyRings/r/cryptoKeys/k",
];

/** What the fields of each kind of key are, by number in `Key`. */
const KINDS: Readonly<Record<number, readonly [type: SopsKey["type"], ...fields: string[]]>> = {
  1: ["aws_kms", "arn"],
  2: ["pgp", "fingerprint"],
  3: ["gcp_kms", "resourceId"],
  4: ["azure_keyvault", "vaultUrl", "name", "version"],
  5: ["vault", "vaultAddress", "enginePath", "keyName"],
  6: ["age", "recipient"],
  7: ["hckms", "keyId"],
};

/** `EncryptRequest` and `DecryptRequest`. */
export const keyRequest: Target = {
  name: "key-request",
  dictionary: DICTIONARY,
  maxBytes: 2000,
  open() {
    const peer = loadKeyService();
    return {
      run(input) {
        const before = Buffer.from(input);
        const ours = tryOurs(input);
        assert.deepEqual(input, before, "the message was changed");
        const expected = orUndefined(() => readRequest(input));
        if (typeof ours === "string") {
          assert.equal(expected, undefined, `refused, and is a request: ${ours}`);
          return ours;
        }
        assert.deepEqual(ours, expected);
        const { Encrypt } = peer;
        const same = orUndefined(() => Encrypt.requestDeserialize(input)) as Message | undefined;
        if (same?.key?.gcpKmsKey && Encrypt.requestSerialize(same).equals(input)) {
          assert.deepEqual(ours, { key: { type: "gcp_kms", ...same.key.gcpKmsKey }, payload: same.plaintext });
        }
        assert.deepEqual(peer.Encrypt.responseDeserialize(encodeKeyAnswer(input)), { ciphertext: input });
        return `${ours.key.type} ${ours.payload.length > 0} ${Object.values(ours.key).map((text) => text.length > 0)}`;
      },
    };
  },
};

interface Message {
  readonly key?: KeyMessage | null;
  readonly plaintext: Buffer;
}

function tryOurs(input: Buffer): KeyRequest | string {
  try {
    return decodeKeyRequest(input);
  } catch (thrown) {
    return expectRefusal(thrown, ["payload_invalid", "key_type_unsupported"]);
  }
}

function orUndefined<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch (thrown) {
    if (thrown instanceof NoMessage || thrown instanceof RangeError || thrown instanceof Error) return undefined;
    throw thrown;
  }
}

function readRequest(bytes: Buffer): KeyRequest | undefined {
  const fields = readFields(bytes);
  const inner = valuesOf(fields, 1).flatMap((key) => readFields(key));
  const members = inner.filter(({ number, value }) => number in KINDS && Buffer.isBuffer(value));
  for (const member of members) checkTexts(member);
  const last = members.at(-1);
  if (last === undefined) return undefined;
  // Of a oneof the last member counts; the ones of its kind right before it are merged with it.
  const from = members.findLastIndex(({ number }) => number !== last.number) + 1;
  const merged = members.slice(from).flatMap(({ value }) => readFields(value as Buffer));
  const [type, ...names] = KINDS[last.number] ?? ["age"];
  const texts = names.map((name, index) => [
    name,
    valuesOf(merged, index + 1)
      .at(-1)
      ?.toString("utf8") ?? "",
  ]);
  const key = { type, ...Object.fromEntries(texts) } as SopsKey;
  return { key, payload: valuesOf(fields, 2).at(-1) ?? Buffer.alloc(0) };
}

function checkTexts({ number, value }: Field): void {
  const known = (KINDS[number]?.length ?? 0) - 1;
  for (const field of readFields(value as Buffer)) {
    if (field.number <= known && Buffer.isBuffer(field.value) && !isUtf8(field.value)) throw new NoMessage("no UTF-8");
  }
}

function valuesOf(fields: readonly Field[], wanted: number): readonly Buffer[] {
  return fields.flatMap(({ number, value }) => (number === wanted && Buffer.isBuffer(value) ? [value] : []));
}

/** grpc.health.v1: what a prober asks, and what a server that is asked answers. */
export const health: Target = {
  name: "health",
  dictionary: DICTIONARY,
  maxBytes: 300,
  open: () => ({
    run(input) {
      const fields = orUndefined(() => readFields(input));
      const request = tryHealth(() => decodeHealthRequest(input));
      const answer = tryHealth(() => decodeHealthAnswer(input));
      if (fields === undefined) {
        assert.ok(
          request instanceof WireFormatError && answer instanceof WireFormatError,
          "no message, and taken for one",
        );
        return request.message;
      }
      assert.equal(request, valuesOf(fields, 1).at(-1)?.toString("utf8") ?? "");
      const status = fields.findLast(({ number, value }) => number === 1 && typeof value === "bigint")?.value ?? 0n;
      const expected = Object.entries(SERVING_STATUS).find(([, number]) => BigInt(number) === status)?.[0];
      assert.equal(answer, expected);
      return `${expected} ${request === ""}`;
    },
  }),
};

function tryHealth<T>(decode: () => T): T | WireFormatError {
  try {
    return decode();
  } catch (thrown) {
    if (!(thrown instanceof WireFormatError)) throw thrown;
    expectPublic(thrown.message);
    return thrown;
  }
}
