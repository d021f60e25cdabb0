import type { Metadata } from "@grpc/grpc-js";
import protobuf from "protobufjs/minimal.js";

const RETRY_INFO = "type.googleapis.com/google.rpc.RetryInfo";
/** As for `Retry-After`: longer is taken as this. */
const MAX_MS = 60_000;

/**
 * How long Google asks us to wait, from the `google.rpc.RetryInfo` among a status' details; undefined where it does
 * not ask. https://github.com/googleapis/googleapis/blob/master/google/rpc/error_details.proto
 */
export function readRetryDelayMs(metadata: Metadata): number | undefined {
  const [status] = metadata.get("grpc-status-details-bin");
  if (typeof status !== "object") return undefined;
  try {
    return findDelay(status);
  } catch {
    // Not protobuf: then it says nothing.
    return undefined;
  }
}

/** google.rpc.Status.details = 3, Any{type_url=1, value=2}, RetryInfo.retry_delay=1, Duration{seconds=1, nanos=2}. */
function findDelay(status: Uint8Array): number | undefined {
  for (const detail of all(status, 3)) {
    const [url] = all(detail, 1);
    if (url === undefined || Buffer.from(url).toString("latin1") !== RETRY_INFO) continue;
    const [duration] = all(detail, 2).flatMap((info) => all(info, 1));
    if (duration === undefined) return undefined;
    const { 1: seconds = 0, 2: nanos = 0 } = varints(duration);
    return Math.min(MAX_MS, Math.max(0, seconds * 1_000 + Math.ceil(nanos / 1_000_000)));
  }
  return undefined;
}

const VARINT = 0;
const LENGTH_DELIMITED = 2;

/** Every value of one length-delimited field. */
function all(message: Uint8Array, field: number): readonly Uint8Array[] {
  const found: Uint8Array[] = [];
  const reader = protobuf.Reader.create(message);
  while (reader.pos < reader.len) {
    const tag = reader.uint32();
    if (tag === ((field << 3) | LENGTH_DELIMITED)) found.push(reader.bytes());
    else reader.skipType(tag & 7);
  }
  return found;
}

function varints(message: Uint8Array): Readonly<Record<number, number>> {
  const found: Record<number, number> = {};
  const reader = protobuf.Reader.create(message);
  while (reader.pos < reader.len) {
    const tag = reader.uint32();
    if ((tag & 7) === VARINT) found[tag >>> 3] = Number(reader.int64());
    else reader.skipType(tag & 7);
  }
  return found;
}
