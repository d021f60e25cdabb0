import { connect, type Socket } from "node:net";
import {
  ACK,
  completeCall,
  END_STREAM,
  FRAME_HEADER_BYTES,
  FrameType,
  PREFACE,
  type PreparedCall,
  pingAck,
  SETTINGS_ACK,
} from "./frames.ts";

const MAX_STREAM = 0x7fffffff;

/** A call, and the only answer to it that is right, as it stands in a DATA frame. */
export interface Exchange {
  readonly call: PreparedCall;
  readonly payload: Buffer;
  readonly answer: Buffer;
}

/** One HTTP/2 connection to a key service. */
export interface Connection {
  /** Resolves where the answer is the right one. */
  perform(exchange: Exchange): Promise<void>;
  close(): void;
}

interface Pending {
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
  readonly expected: Buffer;
  answered: boolean;
}

export async function openConnection(path: string): Promise<Connection> {
  const socket = connect(path);
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  socket.once("connect", resolve);
  socket.once("error", reject);
  await promise;
  const calls = new Map<number, Pending>();
  let nextStream = 1;
  const fail = (why: string) => {
    for (const { reject: end } of calls.values()) end(new Error(why));
    calls.clear();
  };
  socket.on("error", (error) => fail(error.message));
  socket.once("close", () => fail("the connection was closed"));
  readFrames(socket, calls, fail);
  socket.write(PREFACE);
  return {
    perform({ call, payload, answer }) {
      const stream = nextStream;
      nextStream += 2;
      const pending = Promise.withResolvers<void>();
      calls.set(stream, { ...pending, expected: answer, answered: false });
      // Calls that begin together go out together.
      if (socket.writableCorked === 0) {
        socket.cork();
        process.nextTick(() => socket.uncork());
      }
      socket.write(completeCall(call, stream, payload));
      return pending.promise;
    },
    close: () => socket.destroy(),
  };
}

function readFrames(socket: Socket, calls: Map<number, Pending>, fail: (why: string) => void): void {
  function settle(stream: number, problem: string | undefined): void {
    const pending = calls.get(stream);
    if (pending === undefined) return;
    calls.delete(stream);
    if (problem === undefined && pending.answered) pending.resolve();
    else pending.reject(new Error(problem ?? "answered with an error"));
  }

  function takeData(stream: number, payload: Buffer): void {
    const pending = calls.get(stream);
    if (pending !== undefined && payload.length > 0) pending.answered = payload.equals(pending.expected);
  }

  function takeOfConnection(type: number, flags: number, payload: Buffer): void {
    if (type === FrameType.goaway) fail("the server said goodbye");
    else if ((flags & ACK) !== 0) return;
    else if (type === FrameType.settings) socket.write(SETTINGS_ACK);
    else if (type === FrameType.ping) socket.write(pingAck(payload));
  }

  function takeOfStream(type: number, flags: number, stream: number, payload: Buffer): void {
    if (type === FrameType.data) takeData(stream, payload);
    if (type === FrameType.rstStream) settle(stream, `the stream was reset, code ${payload.readUInt32BE(0)}`);
    else if ((flags & END_STREAM) !== 0) settle(stream, undefined);
  }

  let rest: Buffer = Buffer.alloc(0);
  socket.on("data", (chunk: Buffer) => {
    rest = eachFrame(rest.length === 0 ? chunk : Buffer.concat([rest, chunk]), (type, flags, stream, payload) => {
      if (stream === 0) takeOfConnection(type, flags, payload);
      else takeOfStream(type, flags, stream, payload);
    });
  });
}

/** @returns what is left: the beginning of a frame */
function eachFrame(
  bytes: Buffer,
  take: (type: number, flags: number, stream: number, payload: Buffer) => void,
): Buffer {
  let at = 0;
  while (bytes.length - at >= FRAME_HEADER_BYTES) {
    const end = at + FRAME_HEADER_BYTES + bytes.readUIntBE(at, 3);
    if (bytes.length < end) break;
    const stream = bytes.readUInt32BE(at + 5) & MAX_STREAM;
    take(bytes.readUInt8(at + 3), bytes.readUInt8(at + 4), stream, bytes.subarray(at + FRAME_HEADER_BYTES, end));
    at = end;
  }
  return bytes.subarray(at);
}
