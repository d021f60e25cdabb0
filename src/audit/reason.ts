import type { Caller } from "../access/caller.ts";

const MAX_CALLER_LENGTH = 128;

/**
 * What Cloud KMS is told with each request and Cloud Audit Logs keep as
 * `protoPayload.requestMetadata.requestAttributes.reason`: by it their entries are matched with ours.
 *
 * One line of printable ASCII. Only names of the config and an id of our own go into it: nothing that a caller chose.
 */
export function describeReason(requestId: string, caller: Caller): string {
  const names = caller.names.length === 0 ? "-" : caller.names.join(",");
  return `sops-keyd request=${requestId} caller=${names.replace(/[^!-~]/g, "?").slice(0, MAX_CALLER_LENGTH)}`;
}
