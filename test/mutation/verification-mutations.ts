import type { Mutation } from "../../scripts/mutations.ts";

/** Every check that stands between a damaged answer and a sops file, left out or weakened. */
export const VERIFICATION_MUTATIONS: readonly Mutation[] = [
  {
    broken: "the checksum of what came is compared",
    file: "verify.ts",
    edits: [["answer.payloadCrc32c === crc32c(answer.payload)", "true"]],
  },
  {
    broken: "an answer without a checksum is refused",
    file: "verify.ts",
    edits: [
      [
        "answer.payloadCrc32c === crc32c(answer.payload)",
        "(answer.payloadCrc32c ?? crc32c(answer.payload)) === crc32c(answer.payload)",
      ],
    ],
  },
  {
    broken: "all of what came counts for the checksum",
    file: "verify.ts",
    edits: [
      [
        "answer.payloadCrc32c === crc32c(answer.payload)",
        "((answer.payloadCrc32c ?? 0) & 0xffff) === (crc32c(answer.payload) & 0xffff)",
      ],
    ],
  },
  {
    broken: "the key that encrypted is the one that was asked",
    file: "verify.ts",
    edits: [["if (!isVersionOf(answer.name, request.key)) return", "if (false) return"]],
  },
  {
    broken: "the key's name is compared as a whole",
    file: "verify.ts",
    edits: [["name?.startsWith(key) === true && VERSION_SUFFIX", "name !== undefined && VERSION_SUFFIX"]],
  },
  {
    broken: "a version of the key encrypted, not something behind it",
    file: "verify.ts",
    edits: [
      [
        "name?.startsWith(key) === true && VERSION_SUFFIX.test(name.slice(key.length))",
        "name?.startsWith(key) === true",
      ],
    ],
  },
  {
    broken: "Cloud KMS confirms that our checksum was right",
    file: "verify.ts",
    edits: [["if (!answer.confirmsRequest) return", "if (false) return"]],
  },
  {
    broken: "it confirms with true and nothing else",
    file: "json-answer.ts",
    edits: [['answer["verifiedPlaintextCrc32c"] === true', 'answer["verifiedPlaintextCrc32c"] !== undefined']],
  },
  {
    broken: "an empty answer is refused",
    file: "verify.ts",
    edits: [
      ["problem === undefined && answer.payload !== undefined && answer.payload.length > 0", "problem === undefined"],
      ["payload: answer.payload,", "payload: answer.payload ?? Buffer.alloc(0),"],
    ],
  },
  {
    broken: "a checksum is a whole number and nothing else",
    file: "json-answer.ts",
    edits: [["CHECKSUM.test(text) ? Number(text) : undefined", "Number.parseInt(text, 10)"]],
  },
  {
    broken: "the request's checksum is sent",
    file: "rest-transport.ts",
    edits: [['Crc32c":"', 'Crc32x":"']],
  },
  {
    broken: "the request's checksum is that of its payload",
    file: "client.ts",
    edits: [["payloadCrc32c: crc32c(payload),", "payloadCrc32c: 0,"]],
  },
  {
    broken: "an answer that was damaged is asked for again and reported",
    file: "client.ts",
    edits: [['if (error.code !== "integrity_failed") return;', "if (error.code.length > 0) return;"]],
  },
  {
    broken: "the checksum is CRC-32C, not CRC-32",
    file: "crc32c.ts",
    edits: [["0x82f63b78", "0xedb88320"]],
  },
];
