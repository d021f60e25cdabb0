import { Buffer } from "node:buffer";
import { crc32c } from "../../../src/emulator/crc32c.ts";
import { createMaterial, type KeyMaterial, open, seal } from "../../../src/emulator/key-cipher.ts";
import { type CryptoKeyName, parseCryptoKeyName } from "../../../src/routing/resource-name.ts";

const NOTHING = Buffer.alloc(0);

/** Key `k` and its likes: one damaged character makes one the other. */
export const KEYS: readonly CryptoKeyName[] = ["k", "x", "k1", "k2"].map((id) =>
  parseCryptoKeyName(`projects/p/locations/global/keyRings/r/cryptoKeys/${id}`),
);
const MATERIALS: ReadonlyMap<string, KeyMaterial> = new Map(KEYS.map((key) => [key, createMaterial()]));

export interface Answer {
  readonly status: number;
  readonly body: Buffer;
}

/** What Cloud KMS does with one request: real AES-256-GCM, and checksums by code that is not the client's. */
export function askKms(path: string, body: Buffer): Answer {
  const [, key = "", operation] = /^\/v1\/(.*):(encrypt|decrypt)$/.exec(path) ?? [];
  const material = MATERIALS.get(key);
  if (material === undefined) return refuse(404, "NOT_FOUND", "no such key");
  const request = parseObject(body);
  if (request === undefined) return refuse(400, "INVALID_ARGUMENT", "not JSON");
  return operation === "encrypt" ? encrypt(key, material, request) : decrypt(key, request);
}

type Fields = Readonly<Record<string, unknown>>;

function encrypt(key: string, material: KeyMaterial, request: Fields): Answer {
  const plaintext = readBytes(request["plaintext"]);
  if (plaintext === undefined) return refuse(400, "INVALID_ARGUMENT", "no plaintext");
  if (isChecksumWrong(request["plaintextCrc32c"], plaintext)) {
    return refuse(400, "INVALID_ARGUMENT", "plaintext_crc32c did not match");
  }
  const ciphertext = seal(material, key, NOTHING, plaintext);
  return answer({
    name: `${key}/cryptoKeyVersions/1`,
    ciphertext: ciphertext.toString("base64"),
    ciphertextCrc32c: String(crc32c(ciphertext)),
    ...(request["plaintextCrc32c"] === undefined ? {} : { verifiedPlaintextCrc32c: true }),
    protectionLevel: "SOFTWARE",
  });
}

function decrypt(key: string, request: Fields): Answer {
  const ciphertext = readBytes(request["ciphertext"]);
  if (ciphertext === undefined) return refuse(400, "INVALID_ARGUMENT", "no ciphertext");
  if (isChecksumWrong(request["ciphertextCrc32c"], ciphertext)) {
    return refuse(400, "INVALID_ARGUMENT", "ciphertext_crc32c did not match");
  }
  const plaintext = unseal(key, ciphertext);
  if (plaintext === undefined) return refuse(400, "INVALID_ARGUMENT", "decryption failed");
  return answer({
    plaintext: plaintext.toString("base64"),
    plaintextCrc32c: String(crc32c(plaintext)),
    usedPrimary: true,
    protectionLevel: "SOFTWARE",
  });
}

export function sealed(key: CryptoKeyName, plaintext: Buffer): Buffer {
  return seal(MATERIALS.get(key) ?? createMaterial(), key, NOTHING, plaintext);
}

/** Undefined where this key did not make it. */
export function unseal(key: string, ciphertext: Buffer): Buffer | undefined {
  const material = MATERIALS.get(key);
  // Shorter than a nonce and a tag: node:crypto would throw rather than say no.
  if (material === undefined || ciphertext.length < 45) return undefined;
  return open(material, key, NOTHING, ciphertext);
}

function isChecksumWrong(value: unknown, bytes: Buffer): boolean {
  return value !== undefined && value !== null && String(value) !== String(crc32c(bytes));
}

function readBytes(value: unknown): Buffer | undefined {
  if (typeof value !== "string" || value === "" || !/^[A-Za-z0-9+/]+={0,2}$/.test(value)) return undefined;
  return Buffer.from(value, "base64");
}

export function parseObject(body: Buffer): Fields | undefined {
  try {
    const value: unknown = JSON.parse(body.toString());
    return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Fields) : undefined;
  } catch {
    return undefined;
  }
}

function answer(fields: Fields): Answer {
  return { status: 200, body: Buffer.from(JSON.stringify(fields)) };
}

function refuse(code: number, status: string, message: string): Answer {
  return { status: code, body: Buffer.from(JSON.stringify({ error: { code, status, message } })) };
}
