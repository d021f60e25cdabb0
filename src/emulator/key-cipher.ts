import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";

// Layout: format byte ‖ version reference (16) ‖ nonce (12) ‖ AES-256-GCM ciphertext ‖ tag (16).
const FORMAT = 0x5e;
const REFERENCE_LENGTH = 16;
const NONCE_LENGTH = 12;
const TAG_LENGTH = 16;
const NONCE_START = 1 + REFERENCE_LENGTH;
const HEADER_LENGTH = NONCE_START + NONCE_LENGTH;

/** What a key version encrypts with. */
export interface KeyMaterial {
  /** 16 random bytes, hex: says in a ciphertext which version made it. */
  readonly reference: string;
  /** 32 bytes. */
  readonly keyBytes: Buffer;
}

export function createMaterial(): KeyMaterial {
  return { reference: randomBytes(REFERENCE_LENGTH).toString("hex"), keyBytes: randomBytes(32) };
}

/** Seals under a fresh nonce; the ciphertext opens only with the same key name and additional data. */
export function seal(material: KeyMaterial, keyName: string, additional: Buffer, plaintext: Buffer): Buffer {
  const nonce = randomBytes(NONCE_LENGTH);
  const header = Buffer.concat([Buffer.of(FORMAT), Buffer.from(material.reference, "hex"), nonce]);
  const cipher = createCipheriv("aes-256-gcm", material.keyBytes, nonce, { authTagLength: TAG_LENGTH });
  cipher.setAAD(bind(keyName, additional));
  return Buffer.concat([header, cipher.update(plaintext), cipher.final(), cipher.getAuthTag()]);
}

/** The reference of the version that made a ciphertext; undefined where it is not one of ours. */
export function referenceOf(ciphertext: Buffer): string | undefined {
  if (ciphertext.length < HEADER_LENGTH + TAG_LENGTH || ciphertext[0] !== FORMAT) return undefined;
  return ciphertext.toString("hex", 1, NONCE_START);
}

/** Undefined where anything was changed, or the key's name or additional data is another. */
export function open(
  material: KeyMaterial,
  keyName: string,
  additional: Buffer,
  ciphertext: Buffer,
): Buffer | undefined {
  const nonce = ciphertext.subarray(NONCE_START, HEADER_LENGTH);
  const decipher = createDecipheriv("aes-256-gcm", material.keyBytes, nonce, { authTagLength: TAG_LENGTH });
  decipher.setAAD(bind(keyName, additional));
  decipher.setAuthTag(ciphertext.subarray(-TAG_LENGTH));
  try {
    return Buffer.concat([decipher.update(ciphertext.subarray(HEADER_LENGTH, -TAG_LENGTH)), decipher.final()]);
  } catch {
    return undefined;
  }
}

/** The name's length goes first, so that no two pairs of name and data give the same bytes. */
function bind(keyName: string, additional: Buffer): Buffer {
  const name = Buffer.from(keyName, "utf8");
  const length = Buffer.alloc(4);
  length.writeUInt32BE(name.length);
  return Buffer.concat([length, name, additional]);
}
