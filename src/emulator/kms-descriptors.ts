import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import protobuf from "protobufjs";

const { resolve } = createRequire(import.meta.url);
const KMS = readFileSync(resolve("@google-cloud/kms/build/protos/protos.json"), "utf8");

// Of google/rpc/error_details.proto, what the emulator's errors have. Google's own file is in no package of ours.
const ERROR_DETAILS = `
  syntax = "proto3";
  package google.rpc;
  message ErrorInfo { string reason = 1; string domain = 2; map<string, string> metadata = 3; }
  message RetryInfo { google.protobuf.Duration retry_delay = 1; }
`;

/** Cloud KMS' API as Google's own client describes it. Loaded only where a call comes by gRPC. */
export const descriptors: protobuf.Root = protobuf.Root.fromJSON(JSON.parse(KMS));
protobuf.parse(ERROR_DETAILS, descriptors);
