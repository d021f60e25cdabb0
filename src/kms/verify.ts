import { KeyServiceError } from "../core/errors.ts";
import type { CryptoKeyName } from "../routing/resource-name.ts";
import { crc32c } from "./crc32c.ts";
import type { KmsAnswer, KmsRequest } from "./transport.ts";

/** An answer of which every part was checked. */
export interface VerifiedAnswer {
  /** Never empty. */
  readonly payload: Buffer;
  /** On encrypt: the full name of the CryptoKeyVersion that did it. */
  readonly keyVersion: string;
}

const VERSION_SUFFIX = /^\/cryptoKeyVersions\/[1-9][0-9]{0,9}$/;

/**
 * Takes nothing on trust, as Google's data integrity guidelines ask: the key that did it, that our checksum was
 * verified there, and theirs here. What is refused is wiped.
 * https://cloud.google.com/kms/docs/data-integrity-guidelines
 *
 * @throws KeyServiceError `integrity_failed`
 */
export function verifyAnswer(answer: KmsAnswer, request: KmsRequest): VerifiedAnswer {
  const problem = findProblem(answer, request);
  // An OK answer with empty bytes would make sops write a file that nobody can open.
  if (problem === undefined && answer.payload !== undefined && answer.payload.length > 0) {
    return { payload: answer.payload, keyVersion: answer.name ?? "" };
  }
  answer.payload?.fill(0);
  throw integrityError(problem ?? `it has no ${answerField(request)}`);
}

function findProblem(answer: KmsAnswer, request: KmsRequest): string | undefined {
  switch (request.operation) {
    case "encrypt":
      if (!isVersionOf(answer.name, request.key)) return "it names another key than the one that was asked";
      if (!answer.confirmsRequest) return "it does not confirm that the data key arrived undamaged";
      break;
    case "decrypt":
      // Cloud KMS names no key when it decrypts; a name that is there must be right all the same.
      if (answer.name !== undefined && !isVersionOf(answer.name, request.key)) {
        return "it names another key than the one that was asked";
      }
  }
  if (answer.payload === undefined || answer.payloadCrc32c === crc32c(answer.payload)) return undefined;
  return `the checksum of its ${answerField(request)} does not match`;
}

function isVersionOf(name: string | undefined, key: CryptoKeyName): boolean {
  return name?.startsWith(key) === true && VERSION_SUFFIX.test(name.slice(key.length));
}

function answerField({ operation }: KmsRequest): "ciphertext" | "plaintext" {
  return operation === "encrypt" ? "ciphertext" : "plaintext";
}

/** What came is not what Cloud KMS sent, or not for us. */
export function integrityError(what: string): KeyServiceError {
  return new KeyServiceError("integrity_failed", {
    problem: `the answer of Cloud KMS was damaged on its way: ${what}; nothing was handed out`,
    remedy: "try again; if it stays, look for a proxy between sops-keyd and Cloud KMS that changes answers",
  });
}

/** Cloud KMS found that what it got is not what we sent. */
export function damagedRequestError(): KeyServiceError {
  return new KeyServiceError("integrity_failed", {
    problem: "the request to Cloud KMS was damaged on its way: its checksum did not match there",
    remedy: "try again; if it stays, look for a proxy between sops-keyd and Cloud KMS that changes requests",
  });
}
