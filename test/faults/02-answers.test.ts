/** Cloud KMS, or what stands before it, answers what it should not. */
import type { FaultEffect } from "../../src/emulator/faults.ts";
import type { FaultBench } from "./harness/bench.ts";
import { testFaults } from "./harness/withstand.ts";

/** The emulator answers so for the shop's keys, until it is mended. */
function answers(effect: FaultEffect): (bench: FaultBench) => void {
  return ({ emulator }) => {
    for (const endpoint of ["kms.encrypt", "kms.decrypt"] as const) {
      emulator.admin.addFault({ ...effect, endpoint, resource: "projects/shop/*" });
    }
  };
}

/** The text of answers is another; only what has the same length is still an answer of HTTP. */
function rewritten(from: RegExp, to: (found: string) => string): (bench: FaultBench) => Promise<void> {
  return ({ wire }) => wire.harm((bytes) => Buffer.from(bytes.toString("latin1").replace(from, to), "latin1"));
}

const SHOP_ENCRYPTS = { endpoint: "kms.encrypt", resource: "projects/shop/*" } as const;
const NOTHING_HANDED_OUT = /the answer of Cloud KMS was damaged on its way: .*; nothing was handed out/;

testFaults([
  {
    fault: "10 MiB body",
    promise: "it is not read to its end, and no answer",
    sees: "DATA_LOSS: it is larger than any answer of Cloud KMS; or UNAVAILABLE",
    arrange: answers({ kind: "status", code: 200, body: `{"plaintext":"${"A".repeat(10 * 1024 * 1024)}"}` }),
    expect: [
      { status: "DATA_LOSS", says: /it is larger than any answer of Cloud KMS; nothing was handed out/ },
      // Over gRPC the flood may cost the connection, with the calls on it.
      { status: "UNAVAILABLE", says: /could not be reached: connection failed/ },
    ],
  },
  {
    fault: "wrong content type of a right answer",
    promise: "its checksums vouch for it, not its label",
    arrange: rewritten(/application\/json/, () => "application/xml "),
    expect: "served",
    transports: ["rest"],
  },
  {
    fault: "HTML page where an answer should be, as from a captive portal",
    promise: "it is no answer, and none of it is shown",
    sees: "DATA_LOSS: damaged on its way; look for a proxy",
    arrange: answers({ kind: "html" }),
    expect: { status: "DATA_LOSS", says: NOTHING_HANDED_OUT },
  },
  {
    fault: "HTML error page of a proxy, 502",
    promise: "its status is told, and none of its text",
    sees: "UNAVAILABLE: answered 502",
    arrange: answers({ kind: "html", code: 502 }),
    expect: { status: "UNAVAILABLE", says: /^(?!.*Sign in).*answered (502|UNAVAILABLE)/s },
  },
  {
    fault: "bad JSON",
    promise: "no part of it is taken",
    sees: "DATA_LOSS: it is not a JSON object",
    arrange: rewritten(/"ciphertext":|"plaintext":/, (found) => `${found.slice(0, -1)};`),
    expect: { status: "DATA_LOSS", says: /it is not a JSON object; nothing was handed out/ },
    transports: ["rest"],
  },
  {
    fault: "bad protobuf: a field that goes beyond the end",
    promise: "no part of it is taken",
    sees: "DATA_LOSS: it is not a message of Cloud KMS",
    arrange: rewritten(/\0{4}.\n /s, (found) => `${found.slice(0, -1)}\x7f`),
    operations: ["decrypt"],
    expect: { status: "DATA_LOSS", says: /it is not a message of Cloud KMS; nothing was handed out/ },
    transports: ["grpc"],
  },
  {
    fault: "bad CRC",
    promise: "nothing is handed out",
    sees: "DATA_LOSS: the checksum does not match; nothing was handed out",
    arrange: answers({ kind: "wrong-crc" }),
    expect: { status: "DATA_LOSS", says: /the checksum of its (ciphertext|plaintext) does not match; nothing was/ },
  },
  {
    fault: "one bit flipped",
    promise: "nothing is handed out",
    sees: "DATA_LOSS: the checksum does not match; nothing was handed out",
    arrange: answers({ kind: "corrupt" }),
    expect: { status: "DATA_LOSS", says: /the checksum of its (ciphertext|plaintext) does not match; nothing was/ },
  },
  {
    fault: "one bit flipped, once",
    promise: "the answer is thrown away and asked for again",
    arrange: ({ emulator }) => {
      for (const endpoint of ["kms.encrypt", "kms.decrypt"] as const) {
        emulator.admin.addFault({ kind: "corrupt", endpoint, times: 1 });
      }
    },
    expect: "served",
  },
  {
    fault: "wrong key name",
    promise: "a ciphertext of another key is not handed out",
    sees: "DATA_LOSS: it names another key; nothing was handed out",
    arrange: ({ emulator }) => void emulator.admin.addFault({ kind: "wrong-name", ...SHOP_ENCRYPTS }),
    operations: ["encrypt"],
    expect: { status: "DATA_LOSS", says: /nothing was handed out/ },
  },
  {
    fault: "Cloud KMS does not confirm what it encrypted",
    promise: "a ciphertext that may hold another data key is not handed out",
    sees: "DATA_LOSS: the data key may not have arrived undamaged; nothing was handed out",
    arrange: ({ emulator }) => void emulator.admin.addFault({ kind: "unverified", ...SHOP_ENCRYPTS }),
    operations: ["encrypt"],
    expect: { status: "DATA_LOSS", says: /nothing was handed out/ },
  },
  {
    fault: "empty plaintext, with the right checksum of nothing",
    promise: "an empty data key is none",
    sees: "DATA_LOSS; nothing was handed out",
    arrange: answers({ kind: "empty" }),
    expect: { status: "DATA_LOSS", says: NOTHING_HANDED_OUT },
  },
  {
    fault: "403",
    promise: "told at once, with the role to grant and to whom",
    sees: "FAILED_PRECONDITION: PERMISSION_DENIED; grant which role to whom",
    arrange: answers({ kind: "status", code: 403 }),
    expect: {
      status: "FAILED_PRECONDITION",
      says: /PERMISSION_DENIED.*to do: grant roles\/cloudkms\.cryptoKey(En|De)crypter on this key to \S+@/s,
    },
  },
  {
    fault: "404",
    promise: "told at once, with where to look",
    sees: "NOT_FOUND: check the project, location, key ring and key",
    arrange: answers({ kind: "status", code: 404 }),
    expect: { status: "NOT_FOUND", says: /NOT_FOUND.*to do: check the project, location, key ring and key/s },
  },
  {
    fault: "500",
    promise: "told, and not asked again",
    sees: "UNAVAILABLE: answered 500 INTERNAL",
    arrange: answers({ kind: "status", code: 500 }),
    expect: { status: "UNAVAILABLE", says: /answered (500 )?INTERNAL/ },
  },
  {
    fault: "502",
    promise: "tried again, then told",
    sees: "UNAVAILABLE: answered 502",
    arrange: answers({ kind: "status", code: 502 }),
    expect: { status: "UNAVAILABLE", says: /answered (502|UNAVAILABLE|UNKNOWN)/ },
  },
  {
    fault: "503 without Retry-After",
    promise: "tried again, then told",
    sees: "UNAVAILABLE: answered 503; try again in a moment",
    arrange: answers({ kind: "status", code: 503 }),
    expect: { status: "UNAVAILABLE", says: /answered (503 )?UNAVAILABLE/ },
  },
  {
    fault: "503 with a Retry-After of two seconds, once",
    promise: "waited for as long, and then answered",
    arrange: ({ emulator }) => {
      for (const endpoint of ["kms.encrypt", "kms.decrypt"] as const) {
        emulator.admin.addFault({ kind: "status", code: 503, retryAfter: 2, endpoint, times: 1 });
      }
    },
    expect: "served",
  },
  {
    fault: "503 with a Retry-After of an hour",
    promise: "told at once instead of waited for",
    sees: "UNAVAILABLE: answered 503; try again in a moment",
    arrange: answers({ kind: "status", code: 503, retryAfter: 3600 }),
    expect: { status: "UNAVAILABLE", says: /answered (503 )?UNAVAILABLE/ },
  },
]);
