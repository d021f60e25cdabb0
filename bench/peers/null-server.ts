/** The floor: a grpc-js server that answers KeyService at once, `null-server.ts SOCKET`. */
import { Server, ServerCredentials, type ServerUnaryCall, type sendUnaryData } from "@grpc/grpc-js";
import { protobufField } from "../load/frames.ts";

const [socket = ""] = process.argv.slice(2);

/** Field 2 of a request is the payload, and comes last. */
function payloadOf(message: Buffer): Buffer {
  const keyEnd = 1 + sizeOfLength(message, 1) + lengthAt(message, 1);
  return message.subarray(keyEnd + 1 + sizeOfLength(message, keyEnd + 1));
}

function lengthAt(message: Buffer, offset: number): number {
  const low = message[offset] ?? 0;
  return low < 0x80 ? low : (low & 0x7f) | ((message[offset + 1] ?? 0) << 7);
}

function sizeOfLength(message: Buffer, offset: number): number {
  return (message[offset] ?? 0) < 0x80 ? 1 : 2;
}

const identity = (bytes: Buffer): Buffer => bytes;

function method(path: string) {
  return {
    path,
    requestStream: false,
    responseStream: false,
    requestSerialize: identity,
    requestDeserialize: identity,
    responseSerialize: identity,
    responseDeserialize: identity,
  };
}

const answer =
  (change: (payload: Buffer) => Buffer) => (call: ServerUnaryCall<Buffer, Buffer>, done: sendUnaryData<Buffer>) =>
    done(null, protobufField(1, change(payloadOf(call.request))));

const server = new Server();
server.addService(
  { Encrypt: method("/KeyService/Encrypt"), Decrypt: method("/KeyService/Decrypt") },
  {
    Encrypt: answer((plaintext) => Buffer.from(plaintext.toString("base64"))),
    Decrypt: answer((ciphertext) => Buffer.from(ciphertext.toString("latin1"), "base64")),
  },
);
server.bindAsync(`unix:${socket}`, ServerCredentials.createInsecure(), (error) => {
  if (error !== null) throw error;
  process.stdout.write("ready\n");
});
process.once("SIGTERM", () => process.exit(0));
