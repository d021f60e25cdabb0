import { connect, type Socket } from "node:net";

const PREFACE = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
const [DATA, HEADERS, SETTINGS] = [0x0, 0x1, 0x4];
const [END_STREAM, END_HEADERS] = [0x1, 0x4];

/**
 * One gRPC call with exactly these header fields, also those that no client would send: twice the same, or with bytes
 * that are not allowed. RFC 9113.
 *
 * @param message without gRPC's frame
 * @returns the connection, for the test to end
 */
export function sendRawCall(address: string, path: string, fields: readonly HeaderField[], message: Buffer): Socket {
  const { hostname, port } = new URL(address.replace("tcp:", "http:"));
  const socket = connect(Number(port), hostname);
  socket.write(callBytes(path, fields, message));
  return socket;
}

export type HeaderField = readonly [name: string, value: string];

/** All that a client sends for it, from the first byte of the connection. */
export function callBytes(path: string, fields: readonly HeaderField[], message: Buffer): Buffer {
  const all = [
    [":method", "POST"],
    [":path", path],
    [":scheme", "http"],
    [":authority", "localhost"],
    ["content-type", "application/grpc"],
    ["te", "trailers"],
    ...fields,
  ] as const;
  const block = Buffer.concat(all.map(([name, value]) => Buffer.concat([Buffer.of(0x10), text(name), text(value)])));
  const length = Buffer.alloc(5);
  length.writeUInt32BE(message.length, 1);
  return Buffer.concat([
    PREFACE,
    frame(SETTINGS, 0, 0, Buffer.alloc(0)),
    frame(HEADERS, END_HEADERS, 1, block),
    frame(DATA, END_STREAM, 1, Buffer.concat([length, message])),
  ]);
}

/** RFC 7541 5.2, without Huffman coding: a literal that is never indexed. */
function text(value: string): Buffer {
  const bytes = Buffer.from(value, "latin1");
  const length = bytes.length < 127 ? [bytes.length] : [127, ...variableLength(bytes.length - 127)];
  return Buffer.concat([Buffer.from(length), bytes]);
}

function variableLength(value: number): number[] {
  return value < 128 ? [value] : [(value & 0x7f) | 0x80, ...variableLength(value >> 7)];
}

function frame(type: number, flags: number, stream: number, payload: Buffer): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head.writeUInt8(type, 3);
  head.writeUInt8(flags, 4);
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}
