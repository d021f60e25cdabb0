import assert from "node:assert/strict";
import { test } from "node:test";
import { status } from "@grpc/grpc-js";
import { grpcStatusOf } from "../../../src/server/status.ts";

// The design's table of errors, written down a second time.
const EXPECTED = [
  ["rule_not_found", status.PERMISSION_DENIED],
  ["caller_not_allowed", status.PERMISSION_DENIED],
  ["key_name_invalid", status.INVALID_ARGUMENT],
  ["payload_invalid", status.INVALID_ARGUMENT],
  ["key_type_unsupported", status.UNIMPLEMENTED],
  ["credential_unavailable", status.UNAVAILABLE],
  ["kms_unavailable", status.UNAVAILABLE],
  ["deadline_exceeded", status.DEADLINE_EXCEEDED],
  ["kms_throttled", status.RESOURCE_EXHAUSTED],
  ["credential_rejected", status.FAILED_PRECONDITION],
  ["kms_permission_denied", status.FAILED_PRECONDITION],
  ["key_not_found", status.NOT_FOUND],
  ["integrity_failed", status.DATA_LOSS],
  ["caller_unauthenticated", status.UNAUTHENTICATED],
] as const;

for (const [code, expected] of EXPECTED) {
  test(`${code} is ${status[expected]} on the wire`, () => assert.equal(grpcStatusOf(code), expected));
}
