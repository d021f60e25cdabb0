import assert from "node:assert/strict";
import { test } from "node:test";
import { Metadata } from "@grpc/grpc-js";
import fc from "fast-check";
import { descriptors } from "../../../src/emulator/kms-descriptors.ts";
import { readRetryDelayMs } from "../../../src/kms/grpc-retry-info.ts";

const Status = descriptors.lookupType("google.rpc.Status");
const RetryInfo = descriptors.lookupType("google.rpc.RetryInfo");
const RETRY_INFO = "type.googleapis.com/google.rpc.RetryInfo";

function withDetails(bytes: Uint8Array): Metadata {
  const metadata = new Metadata();
  metadata.set("grpc-status-details-bin", Buffer.from(bytes));
  return metadata;
}

function statusWith(...details: readonly { readonly type_url: string; readonly value: Uint8Array }[]): Uint8Array {
  return Status.encode({ code: 14, message: "busy", details }).finish();
}

test("a delay is read back, among whatever details, and never more than a minute", () => {
  const other = fc.record({ type_url: fc.string(), value: fc.uint8Array({ maxLength: 50 }) });
  const others = fc.array(other, { maxLength: 5 });
  fc.assert(
    fc.property(fc.nat({ max: 1_000_000 }), fc.nat({ max: 999_999_999 }), others, others, (seconds, nanos, a, b) => {
      const value = RetryInfo.encode({ retryDelay: { seconds, nanos } }).finish();
      const read = readRetryDelayMs(withDetails(statusWith(...a, { type_url: RETRY_INFO, value }, ...b)));
      assert.equal(read, Math.min(60_000, seconds * 1_000 + Math.ceil(nanos / 1_000_000)));
    }),
  );
});

test("no bytes make it throw, or wait for longer than a minute or less than nothing", () => {
  const damaged = fc.tuple(fc.nat(), fc.nat({ max: 255 }), fc.integer()).map(([at, byte, seconds]) => {
    const value = RetryInfo.encode({ retryDelay: { seconds } }).finish();
    const bytes = Buffer.from(statusWith({ type_url: RETRY_INFO, value }));
    bytes[at % bytes.length] = byte;
    return bytes;
  });
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array({ maxLength: 200 }), damaged), (bytes) => {
      const read = readRetryDelayMs(withDetails(bytes)) ?? 0;
      assert.ok(read >= 0 && read <= 60_000, String(read));
    }),
    { numRuns: 2_000 },
  );
});

test("without details there is no delay", () => {
  assert.equal(readRetryDelayMs(new Metadata()), undefined);
});
