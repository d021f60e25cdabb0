import { decodeBase64 } from "../core/base64.ts";
import { KeyServiceError } from "../core/errors.ts";
import type { CryptoKeyName } from "../routing/resource-name.ts";
import { crc32c } from "./crc32c.ts";
import type { DecryptResult, EncryptResult } from "./kms-client.ts";

const VERSION_SUFFIX = /^\/cryptoKeyVersions\/[1-9][0-9]{0,9}$/;

/**
 * Reads an encrypt answer and takes nothing on trust, as Google's data integrity guidelines ask: the key that did
 * it, that our checksum was verified there, and theirs here.
 *
 * @throws KeyServiceError `integrity_failed`
 */
export function readEncryptAnswer(body: Buffer, key: CryptoKeyName): EncryptResult {
  const answer = parseObject(body);
  const keyVersion = answer["name"];
  if (typeof keyVersion !== "string" || !isVersionOf(keyVersion, key)) {
    throw integrityError("it names another key than the one that was asked");
  }
  if (answer["verifiedPlaintextCrc32c"] !== true) {
    throw integrityError("it does not confirm that the data key arrived undamaged");
  }
  return { ciphertext: readBytes(answer, "ciphertext"), keyVersion };
}

/** @throws KeyServiceError `integrity_failed` */
export function readDecryptAnswer(body: Buffer): DecryptResult {
  return { plaintext: readBytes(parseObject(body), "plaintext") };
}

function isVersionOf(keyVersion: string, key: CryptoKeyName): boolean {
  return keyVersion.startsWith(key) && VERSION_SUFFIX.test(keyVersion.slice(key.length));
}

function readBytes(answer: Readonly<Record<string, unknown>>, field: "ciphertext" | "plaintext"): Buffer {
  const text = answer[field];
  // An OK answer with empty bytes would make sops write a file that nobody can open.
  if (typeof text !== "string" || text === "") throw integrityError(`it has no ${field}`);
  const bytes = decodeBase64(text);
  if (bytes === undefined) throw integrityError(`its ${field} is not base64`);
  // int64 is a string in Google's JSON; a number is accepted as well, an absent checksum is not.
  if (String(answer[`${field}Crc32c`]) !== String(crc32c(bytes))) {
    bytes.fill(0);
    throw integrityError(`the checksum of its ${field} does not match`);
  }
  return bytes;
}

function parseObject(body: Buffer): Readonly<Record<string, unknown>> {
  const answer = parseJson(body);
  if (typeof answer === "object" && answer !== null) return answer as Readonly<Record<string, unknown>>;
  throw integrityError("it is not a JSON object");
}

/** Undefined where the bytes are not JSON: V8's own message would quote them, and they may hold a data key. */
export function parseJson(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString("utf8"));
  } catch {
    return undefined;
  }
}

function integrityError(what: string): KeyServiceError {
  return new KeyServiceError("integrity_failed", {
    problem: `the answer of Cloud KMS was damaged on its way: ${what}; nothing was handed out`,
    remedy: "try again; if it stays, look for a proxy between sops-keyd and Cloud KMS that changes answers",
  });
}
