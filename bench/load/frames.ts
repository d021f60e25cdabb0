/** HTTP/2 frames (RFC 9113) for one kind of call, made once: the driver must cost less than what it measures. */

export const FRAME_HEADER_BYTES = 9;

export const FrameType = { data: 0, headers: 1, rstStream: 3, settings: 4, ping: 6, goaway: 7 } as const;

export const END_STREAM = 0x1;
const END_HEADERS = 0x4;
export const ACK = 0x1;
const WINDOW_UPDATE = 8;
const MAX_WINDOW_INCREMENT = 0x7fffffff - 65_535;

export const PREFACE: Buffer = Buffer.concat([
  Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
  frame(FrameType.settings, 0, 0, Buffer.alloc(0)),
  // So that answers never wait for us to make room: enough for tens of millions of calls.
  frame(WINDOW_UPDATE, 0, 0, uint32(MAX_WINDOW_INCREMENT)),
]);

export const SETTINGS_ACK: Buffer = frame(FrameType.settings, ACK, 0, Buffer.alloc(0));

export function pingAck(payload: Buffer): Buffer {
  return frame(FrameType.ping, ACK, 0, payload);
}

export interface PreparedCall {
  /** The frames of a call, whose stream and payload {@link completeCall} puts in. */
  readonly frames: Buffer;
  /** Where in them stream ids stand. */
  readonly streamAt: readonly number[];
}

/**
 * A unary gRPC call as sops makes it: no deadline, no compression.
 *
 * @param message ends with its payload
 */
export function prepareCall(path: string, message: Buffer): PreparedCall {
  const headers = frame(FrameType.headers, END_HEADERS, 0, requestHeaders(path));
  const body = frame(FrameType.data, END_STREAM, 0, grpcMessage(message));
  return { frames: Buffer.concat([headers, body]), streamAt: [5, headers.length + 5] };
}

/** @param payload takes the place of the prepared one, which has the same length */
export function completeCall({ frames, streamAt }: PreparedCall, stream: number, payload: Buffer): Buffer {
  const copy = Buffer.from(frames);
  for (const offset of streamAt) copy.writeUInt32BE(stream, offset);
  payload.copy(copy, copy.length - payload.length);
  return copy;
}

/** Length-prefixed and not compressed. https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md */
export function grpcMessage(message: Buffer): Buffer {
  return Buffer.concat([Buffer.of(0), uint32(message.length), message]);
}

/** HPACK (RFC 7541) without its dynamic table: names by their number in the static one, values as they are. */
function requestHeaders(path: string): Buffer {
  return Buffer.concat([
    Buffer.of(0x83, 0x86),
    Buffer.of(0x04),
    text(path),
    Buffer.of(0x01),
    text("localhost"),
    Buffer.of(0x0f, 31 - 15),
    text("application/grpc"),
    Buffer.of(0x0f, 58 - 15),
    text("grpc-go/1.80.0"),
    Buffer.of(0x00),
    text("te"),
    text("trailers"),
  ]);
}

function text(value: string): Buffer {
  return Buffer.concat([Buffer.of(value.length), Buffer.from(value)]);
}

function frame(type: number, flags: number, stream: number, payload: Buffer): Buffer {
  const header = Buffer.alloc(FRAME_HEADER_BYTES);
  header.writeUIntBE(payload.length, 0, 3);
  header[3] = type;
  header[4] = flags;
  header.writeUInt32BE(stream, 5);
  return Buffer.concat([header, payload]);
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

/** A protobuf field of text or bytes that is shorter than 16 KiB. */
export function protobufField(number: number, value: Buffer): Buffer {
  const { length } = value;
  const size = length < 0x80 ? Buffer.of(length) : Buffer.of((length & 0x7f) | 0x80, length >> 7);
  return Buffer.concat([Buffer.of((number << 3) | 2), size, value]);
}
