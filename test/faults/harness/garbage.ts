import { PREFACE, prepareCall } from "../../../bench/load/frames.ts";

// RFC 9113, section 6.
const [DATA, HEADERS, RST_STREAM, CONTINUATION] = [0x0, 0x1, 0x3, 0x9];
const END_HEADERS = 0x4;
const CANCEL = Buffer.of(0, 0, 0, 8);
/** `:method: GET` of HPACK's static table. */
const METHOD_GET = 0x82;

/** What a client may send that is no call of the protocol. */
export const GARBAGE: Readonly<Record<string, () => Buffer>> = {
  "random bytes": () => Buffer.from(Array.from({ length: 4096 }, (_, index) => (index * 167 + 13) & 0xff)),
  "a TLS handshake on a socket in clear text": () => Buffer.from("16030100c8010000c40303", "hex"),
  "HTTP/1.1": () => Buffer.from("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"),
  "a frame larger than HTTP/2 allows": () => Buffer.concat([PREFACE, frame(DATA, 0, 1, Buffer.alloc(1_000_000))]),
  "data of a call that never began": () => Buffer.concat([PREFACE, frame(DATA, 0, 7, Buffer.alloc(10))]),
  "headers that are no HPACK": () => Buffer.concat([PREFACE, frame(HEADERS, END_HEADERS, 1, Buffer.alloc(100, 0xff))]),
  "a flood of headers that never end": () =>
    Buffer.concat([
      PREFACE,
      frame(HEADERS, 0, 1, Buffer.alloc(10, METHOD_GET)),
      ...Array.from({ length: 200 }, () => frame(CONTINUATION, 0, 1, Buffer.alloc(16_000, METHOD_GET))),
    ]),
  "a flood of calls that are taken back at once": () => Buffer.concat([PREFACE, ...takenBack(5_000)]),
};

function takenBack(count: number): readonly Buffer[] {
  const { frames, streamAt } = prepareCall("/KeyService/Decrypt", Buffer.alloc(0));
  // The second frame is the message, which does not come.
  const headers = frames.subarray(0, (streamAt[1] ?? 0) - 5);
  return Array.from({ length: count }, (_, index) => {
    const stream = 2 * index + 1;
    const begun = Buffer.from(headers);
    begun.writeUInt32BE(stream, 5);
    return Buffer.concat([begun, frame(RST_STREAM, 0, stream, CANCEL)]);
  });
}

function frame(type: number, flags: number, stream: number, payload: Buffer): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head.writeUInt8(type, 3);
  head.writeUInt8(flags, 4);
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}
