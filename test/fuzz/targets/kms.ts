import assert from "node:assert/strict";
import { Metadata, status } from "@grpc/grpc-js";
import type { Operation } from "../../../src/config/config.ts";
import { descriptors } from "../../../src/emulator/kms-descriptors.ts";
import { describeGrpcFailure } from "../../../src/kms/grpc-refusal.ts";
import { readRetryDelayMs } from "../../../src/kms/grpc-retry-info.ts";
import { readJsonAnswer } from "../../../src/kms/json-answer.ts";
import { readJsonRefusal } from "../../../src/kms/json-refusal.ts";
import { parseRetryAfter } from "../../../src/kms/retry-after.ts";
import { describeRefusal } from "../../../src/kms/upstream-error.ts";
import { verifyAnswer } from "../../../src/kms/verify.ts";
import { parseCryptoKeyName } from "../../../src/routing/resource-name.ts";
import { CANARY, expectPublic, expectRefusal } from "../harness/expect.ts";
import type { Target } from "../harness/target.ts";
import { bitwiseCrc32c } from "../references/crc32c.ts";

const KEY = parseCryptoKeyName("projects/p/locations/global/keyRings/r/cryptoKeys/k");
const ASKED = {
  operation: "encrypt",
  host: "cloudkms.googleapis.com",
  principal: "robot@p",
  tokenIsFresh: false,
} as const;
const MAX_DELAY_MS = 60_000;
const JSON_WORDS = ["{", "}", ":", ",", '"', "null", "true", "[", "]", "\\u0000", "\n"];

/**
 * A letter and an answer of Cloud KMS' REST API: `e` or `d` as it stands, `E` or `D` with checksums put right, since no
 * mutation would ever meet one.
 */
export const kmsAnswer: Target = {
  name: "kms-answer",
  dictionary: [
    ...JSON_WORDS,
    "e",
    "d",
    "E",
    "D",
    "name",
    "ciphertext",
    "plaintext",
    "ciphertextCrc32c",
    "plaintextCrc32c",
    "=",
    "AAAA",
    "verifiedPlaintextCrc32c",
    `${KEY}/cryptoKeyVersions/1`,
    "/cryptoKeyVersions/",
    "/cryptoKeyVersions/0",
    CANARY,
  ],
  maxBytes: 1000,
  open: () => ({
    run(input) {
      const letter = input.toString("latin1", 0, 1);
      const operation = letter.toLowerCase() === "e" ? "encrypt" : "decrypt";
      const body = /[A-Z]/.test(letter) ? withChecksum(input.subarray(1), operation) : input.subarray(1);
      const request = { operation, key: KEY, payload: Buffer.from("x"), payloadCrc32c: 0 } as const;
      try {
        const { payload, keyVersion } = verifyAnswer(readJsonAnswer(body, operation), request);
        expectVerified(body, operation, payload, keyVersion);
        return `taken ${operation} ${keyVersion === ""}`;
      } catch (thrown) {
        return expectRefusal(thrown, ["integrity_failed"]);
      }
    },
  }),
};

function withChecksum(body: Buffer, operation: Operation): Buffer {
  try {
    const answer = JSON.parse(body.toString("utf8")) as Record<string, unknown>;
    const field = operation === "encrypt" ? "ciphertext" : "plaintext";
    const checksum = bitwiseCrc32c(Buffer.from(String(answer[field]), "base64"));
    return Buffer.from(JSON.stringify({ ...answer, [`${field}Crc32c`]: String(checksum) }));
  } catch {
    return body;
  }
}

function expectVerified(body: Buffer, operation: Operation, payload: Buffer, keyVersion: string): void {
  const answer = JSON.parse(body.toString("utf8")) as Record<string, unknown>;
  const field = operation === "encrypt" ? "ciphertext" : "plaintext";
  assert.ok(payload.length > 0, "nothing was taken for an answer");
  assert.equal(String(answer[field]).replace(/[\r\n]/g, ""), payload.toString("base64"));
  assert.equal(String(answer[`${field}Crc32c`]), String(bitwiseCrc32c(payload)));
  assert.equal(keyVersion, answer["name"] ?? "");
  assert.ok(
    keyVersion === "" ? operation === "decrypt" : /^\/cryptoKeyVersions\/[1-9]\d*$/.test(keyVersion.replace(KEY, "")),
  );
  assert.ok(operation === "decrypt" || answer["verifiedPlaintextCrc32c"] === true);
}

/** A line with an HTTP status, and the body that came with it. */
export const kmsRefusal: Target = {
  name: "kms-refusal",
  dictionary: [
    ...JSON_WORDS,
    "400",
    "401",
    "403",
    "404",
    "429",
    "503",
    "error",
    "status",
    "message",
    "code",
    "details",
    "FAILED_PRECONDITION",
    "RESOURCE_EXHAUSTED",
    "checksum",
    "<html>",
    "Received message larger than max",
    "Name resolution failed",
    "read ECONNRESET",
  ],
  maxBytes: 1500,
  open: () => ({
    run(input) {
      const [head = "", ...rest] = input.toString("utf8").split("\n");
      const text = rest.join("\n");
      const refusal = readJsonRefusal(Number(head.slice(0, 3)), Buffer.from(text), undefined);
      const { error, retry } = describeRefusal(refusal, ASKED);
      expectPublic(refusal.answered);
      const code =
        Object.values(status).filter((each) => typeof each === "number")[Number(head.slice(-1)) || 0] ?? status.UNKNOWN;
      const failure = { code, details: text, metadata: new Metadata(), name: "Error", message: text };
      const outcome = describeGrpcFailure(failure, ASKED);
      assert.ok(!outcome.ok, "a failure was taken for an answer");
      expectPublic(outcome.error.message.replaceAll("\n", " "));
      expectPublic(error.message.replaceAll("\n", " "));
      return `${refusal.kind} ${error.code} ${retry} ${outcome.error.code} ${outcome.retry}`;
    },
  }),
};

/** `grpc-status-details-bin`. */
export const retryInfo: Target = {
  name: "retry-info",
  dictionary: [
    "type.googleapis.com/google.rpc.RetryInfo",
    "\x1a",
    "\x0a",
    "\x12",
    "\x08",
    "\x10",
    "\x1b",
    "\x1c",
    "\x80\x80",
    "\x7f",
  ],
  maxBytes: 500,
  open() {
    const Status = descriptors.lookupType("google.rpc.Status");
    const RetryInfo = descriptors.lookupType("google.rpc.RetryInfo");
    const type_url = "type.googleapis.com/google.rpc.RetryInfo";
    const encode = (seconds: number, nanos: number) => {
      const value = RetryInfo.encode({ retryDelay: { seconds, nanos } }).finish();
      return Buffer.from(Status.encode({ code: 14, message: "busy", details: [{ type_url, value }] }).finish());
    };
    return {
      run(input) {
        const metadata = new Metadata();
        metadata.set("grpc-status-details-bin", input);
        const delayMs = readRetryDelayMs(metadata);
        if (delayMs === undefined) return "none";
        assert.ok(Number.isFinite(delayMs) && delayMs >= 0 && delayMs <= MAX_DELAY_MS, `${delayMs} ms`);
        assert.ok(input.includes(type_url), "nobody asked to wait");
        return `${Math.sign(delayMs)} ${delayMs === MAX_DELAY_MS} ${delayMs % 1000 === 0}`;
      },
      samples: [encode(0, 0), encode(7, 1), encode(-1, 0), encode(1e9, 999_999_999)],
    };
  },
};

const NOW_MS = Date.UTC(2026, 10, 24, 7, 0, 0);

export const retryAfter: Target = {
  name: "retry-after",
  dictionary: [
    "Tue, 24 Nov 2026 07:00:10 GMT",
    "Tuesday, 24-Nov-26 07:00:10 GMT",
    "Tue Nov 24 07:00:10 2026",
    "GMT",
    "UTC",
    "+0200",
    "Z",
    "60",
    "-1",
    "T",
    " ",
    ",",
    ":",
    "Feb",
    "30",
    "99",
    "2026-11-24",
  ],
  maxBytes: 80,
  open: () => ({
    run(input) {
      const text = input.toString("latin1");
      const delayMs = parseRetryAfter(text, NOW_MS);
      if (delayMs === undefined) return "none";
      assert.ok(Number.isFinite(delayMs) && delayMs >= 0 && delayMs <= MAX_DELAY_MS, `${delayMs} ms`);
      const trimmed = text.trim();
      if (/^\d+$/.test(trimmed)) assert.equal(delayMs, Math.min(MAX_DELAY_MS, Number(trimmed) * 1000));
      else assert.match(trimmed, /^[A-Z][a-z]+,? .*\d\d:\d\d:\d\d/);
      return `${Math.sign(delayMs)} ${delayMs === MAX_DELAY_MS} ${trimmed.length}`;
    },
  }),
};
