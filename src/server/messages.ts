import { isUtf8 } from "node:buffer";
import type { SopsKey } from "../backends/sops-key.ts";
import { KeyServiceError } from "../core/errors.ts";
import { encodeBytesField, FieldReader, WireFormatError } from "./wire-format.ts";

/** `EncryptRequest` and `DecryptRequest`, which are alike on the wire. */
export interface KeyRequest {
  readonly key: SopsKey;
  /** `plaintext` or `ciphertext`; a view of the message, so wiping it wipes the message's copy. Empty if missing. */
  readonly payload: Buffer;
}

const KEY_FIELD = 1;
const PAYLOAD_FIELD = 2;
const ANSWER_FIELD = 1;
const EMPTY: Buffer = Buffer.alloc(0);

/** A member of `oneof key_type`. All its fields that matter here are strings and have the numbers from 1 on. */
interface KeyType {
  readonly fields: number;
  /** @param texts what the fields say, in the order of their numbers; undefined for what is not there */
  toKey(texts: readonly (string | undefined)[]): SopsKey;
}

/** By field number in `Key`; `proto/keyservice.proto` is the source, and a test holds this to it. */
const KEY_TYPES: readonly (KeyType | undefined)[] = [
  undefined,
  // Role, context and profile would matter to a backend for AWS KMS alone.
  { fields: 1, toKey: ([arn = ""]) => ({ type: "aws_kms", arn }) },
  { fields: 1, toKey: ([fingerprint = ""]) => ({ type: "pgp", fingerprint }) },
  { fields: 1, toKey: ([resourceId = ""]) => ({ type: "gcp_kms", resourceId }) },
  {
    fields: 3,
    toKey: ([vaultUrl = "", name = "", version = ""]) => ({ type: "azure_keyvault", vaultUrl, name, version }),
  },
  {
    fields: 3,
    toKey: ([vaultAddress = "", enginePath = "", keyName = ""]) => ({
      type: "vault",
      vaultAddress,
      enginePath,
      keyName,
    }),
  },
  { fields: 1, toKey: ([recipient = ""]) => ({ type: "age", recipient }) },
  { fields: 1, toKey: ([keyId = ""]) => ({ type: "hckms", keyId }) },
];

/**
 * Reads an `EncryptRequest` or a `DecryptRequest` as the protobuf specification says: fields that we do not know are
 * passed over, of a `oneof` the last member counts, and of a field that comes twice the last value; messages that come
 * twice are merged. https://protobuf.dev/programming-guides/encoding/#last-one-wins
 *
 * @throws KeyServiceError `payload_invalid` where it is no such message, `key_type_unsupported` where it has no key
 * that we know
 */
export function decodeKeyRequest(message: Buffer): KeyRequest {
  try {
    return readKeyRequest(message);
  } catch (thrown) {
    if (!(thrown instanceof WireFormatError)) throw thrown;
    throw new KeyServiceError("payload_invalid", {
      problem: `the request is damaged: ${thrown.message}`,
      remedy: "check what stands between sops and sops-keyd, and that it is sops that calls",
      cause: thrown,
    });
  }
}

function readKeyRequest(message: Buffer): KeyRequest {
  const key: KeyState = { type: undefined, texts: [] };
  let payload: Buffer = EMPTY;
  const fields = new FieldReader(message);
  while (fields.next()) {
    if (fields.bytes === undefined) continue;
    if (fields.number === KEY_FIELD) readKey(fields.bytes, key);
    else if (fields.number === PAYLOAD_FIELD) payload = fields.bytes;
  }
  if (key.type !== undefined) return { key: key.type.toKey(key.texts), payload };
  throw new KeyServiceError("key_type_unsupported", {
    problem: "the request names no key of a kind that sops-keyd knows",
    remedy: "if your sops is newer than this sops-keyd, update sops-keyd",
  });
}

/** The key as far as it has been read. */
interface KeyState {
  type: KeyType | undefined;
  texts: string[];
}

function readKey(message: Buffer, key: KeyState): void {
  const fields = new FieldReader(message);
  while (fields.next()) {
    const type = KEY_TYPES[fields.number];
    if (fields.bytes === undefined || type === undefined) continue;
    if (key.type !== type) {
      key.type = type;
      key.texts = [];
    }
    readTexts(fields.bytes, type.fields, key.texts);
  }
}

function readTexts(message: Buffer, wanted: number, texts: string[]): void {
  const fields = new FieldReader(message);
  while (fields.next()) {
    if (fields.bytes === undefined || fields.number > wanted) continue;
    if (!isUtf8(fields.bytes)) throw new WireFormatError("a text is not UTF-8");
    texts[fields.number - 1] = fields.bytes.toString("utf8");
  }
}

/** `EncryptResponse` or `DecryptResponse`, which are alike on the wire: a copy, for the caller to wipe. */
export function encodeKeyAnswer(bytes: Uint8Array): Buffer {
  return encodeBytesField(ANSWER_FIELD, bytes);
}
