import {
  createHash,
  createHmac,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  hkdfSync,
  type KeyObject,
  sign,
  verify,
} from "node:crypto";
import { closeSync, constants, openSync, readFileSync, writeSync } from "node:fs";
import { describeReadError } from "../config/load.ts";
import { AuditOpenError } from "./open-error.ts";

/** The key of one installation. It signs checkpoints; the key for hashes of ciphertexts is derived from it. */
export interface SigningKey {
  /** SPKI, DER, base64. */
  readonly publicKey: string;
  /** Whether this start made it. */
  readonly created: boolean;
  /** Ed25519 over the domain and the text, base64. */
  sign(text: string): string;
  /** HMAC-SHA-256 of a ciphertext as the sops file has it, hex. */
  fingerprint(ciphertext: Uint8Array): string;
}

/** So that no other use of the key can be taken for a checkpoint. */
const CHECKPOINT_DOMAIN = "sops-keyd audit checkpoint\n";
const FINGERPRINT_DOMAIN = "sops-keyd audit ciphertext";

/**
 * Reads the key, or makes one (Ed25519, PKCS #8, PEM, mode 0600) where the file is missing, with the public half
 * beside it as `PATH.pub`, for those who verify.
 *
 * @throws AuditOpenError
 */
export function openSigningKey(path: string): SigningKey {
  const existing = readKeyFile(path);
  const privateKey = existing ?? createKeyFile(path);
  const publicKey = createPublicKey(privateKey);
  const hmacKey = Buffer.from(
    hkdfSync("sha256", privateKey.export({ format: "der", type: "pkcs8" }), "", FINGERPRINT_DOMAIN, 32),
  );
  return {
    publicKey: publicKey.export({ format: "der", type: "spki" }).toString("base64"),
    created: existing === undefined,
    sign: (text) => sign(null, Buffer.from(CHECKPOINT_DOMAIN + text), privateKey).toString("base64"),
    fingerprint: (ciphertext) => createHmac("sha256", hmacKey).update(ciphertext).digest("hex"),
  };
}

function readKeyFile(path: string): KeyObject | undefined {
  let pem: string;
  try {
    pem = readFileSync(path, "utf8");
  } catch (thrown) {
    if (thrown instanceof Error && "code" in thrown && thrown.code === "ENOENT") return undefined;
    throw new AuditOpenError(`the audit log's signing key ${path} cannot be read: ${describeReadError(thrown)}`, {
      cause: thrown,
    });
  }
  try {
    const key = createPrivateKey(pem);
    if (key.asymmetricKeyType === "ed25519") return key;
  } catch (thrown) {
    throw new AuditOpenError(`${path} is not a private key in PEM; make one with: openssl genpkey -algorithm ed25519`, {
      cause: thrown,
    });
  }
  throw new AuditOpenError(`${path} is not an Ed25519 key; make one with: openssl genpkey -algorithm ed25519`);
}

function createKeyFile(path: string): KeyObject {
  const { privateKey, publicKey } = generateKeyPairSync("ed25519");
  try {
    write(path, constants.O_EXCL, privateKey.export({ format: "pem", type: "pkcs8" }).toString(), 0o600);
    write(`${path}.pub`, constants.O_TRUNC, publicKey.export({ format: "pem", type: "spki" }).toString(), 0o644);
  } catch (thrown) {
    throw new AuditOpenError(`the audit log's signing key ${path} cannot be made: ${describeReadError(thrown)}`, {
      cause: thrown,
    });
  }
  return privateKey;
}

/** On the disk when it returns. */
function write(path: string, flag: number, text: string, mode: number): void {
  const descriptor = openSync(path, constants.O_WRONLY | constants.O_CREAT | constants.O_SYNC | flag, mode);
  try {
    writeSync(descriptor, text);
  } finally {
    closeSync(descriptor);
  }
}

/** @param publicKey SPKI, DER, base64 */
export function verifySignature(publicKey: string, text: string, signature: string): boolean {
  try {
    const key = createPublicKey({ key: Buffer.from(publicKey, "base64"), format: "der", type: "spki" });
    return verify(null, Buffer.from(CHECKPOINT_DOMAIN + text), key, Buffer.from(signature, "base64"));
  } catch {
    return false;
  }
}

/** @returns SPKI, DER, base64; undefined where it is not a public key in PEM */
export function parsePublicKey(pem: string): string | undefined {
  try {
    return createPublicKey(pem).export({ format: "der", type: "spki" }).toString("base64");
  } catch {
    return undefined;
  }
}

/** How people compare keys: `SHA256:…`, as ssh shows them. */
export function fingerprintOfKey(publicKey: string): string {
  return `SHA256:${createHash("sha256").update(publicKey, "base64").digest("base64").replace(/=+$/, "")}`;
}
