import type { Operation } from "../config/config.ts";
import { decodeBase64 } from "../core/base64.ts";
import { parseJsonObject } from "../core/json.ts";
import type { KmsAnswer } from "./transport.ts";
import { integrityError } from "./verify.ts";

/** A CRC32C as Google's JSON has it: int64 is text there; a number is taken as well. */
const CHECKSUM = /^(?:0|[1-9][0-9]{0,9})$/;

/**
 * The answer of Cloud KMS' REST API.
 *
 * @throws KeyServiceError `integrity_failed` where it is not such an answer
 */
export function readJsonAnswer(body: Buffer, operation: Operation): KmsAnswer {
  const answer = parseJsonObject(body.toString("utf8"));
  if (answer === undefined) throw integrityError("it is not a JSON object");
  const field = operation === "encrypt" ? "ciphertext" : "plaintext";
  const name = answer["name"];
  if (name !== undefined && typeof name !== "string") throw integrityError("its name is not text");
  return {
    name,
    payload: readBytes(answer[field], field),
    payloadCrc32c: readChecksum(answer[`${field}Crc32c`]),
    confirmsRequest: answer["verifiedPlaintextCrc32c"] === true,
  };
}

function readBytes(text: unknown, field: string): Buffer | undefined {
  if (text === undefined || text === "") return undefined;
  const bytes = typeof text === "string" ? decodeBase64(text) : undefined;
  if (bytes === undefined) throw integrityError(`its ${field} is not base64`);
  return bytes;
}

/** @returns undefined where it is none */
export function readChecksum(value: unknown): number | undefined {
  const text = String(value);
  return CHECKSUM.test(text) ? Number(text) : undefined;
}
