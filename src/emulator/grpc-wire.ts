import { toTrailers } from "./grpc-status.ts";
import type { HttpRequest } from "./http.ts";
import { createKmsRpcs } from "./kms-rpc.ts";
import { googleRefusal } from "./refusals.ts";
import { finish, restWire, type Wire } from "./wire.ts";

const PREFIX_BYTES = 5;

const rpcs = createKmsRpcs();

/**
 * gRPC with one message each way, over HTTP/2: https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md
 *
 * Not by grpc-js' server: a fault must be able to break off half-way or to send a web page, and REST over HTTP/2
 * comes by the same connections.
 */
export function grpcWireFor({ url = "" }: HttpRequest): Wire {
  const rpc = rpcs.get(url);
  return {
    read({ headers }, body) {
      if (rpc === undefined) throw googleRefusal("UNIMPLEMENTED", "The emulator has no such method.");
      return { ...rpc.toRequest(unframe(body)), headers };
    },
    send(reply, response, truncate) {
      const message = reply.status === 200 && typeof reply.body !== "string" ? rpc?.toAnswer(reply.body) : undefined;
      const trailers = message === undefined ? toTrailers(reply) : { "grpc-status": "0" };
      if (trailers === undefined) {
        restWire.send(reply, response, truncate);
        return;
      }
      response.writeHead(200, { "content-type": "application/grpc" });
      response.addTrailers(trailers);
      finish(response, message === undefined ? Buffer.of() : frame(message), truncate);
    },
  };
}

function unframe(body: Buffer): Buffer {
  const isWhole = body.length >= PREFIX_BYTES && body.readUInt32BE(1) === body.length - PREFIX_BYTES;
  if (!isWhole) throw googleRefusal("INTERNAL", "The request is not one whole message.");
  if (body[0] !== 0) throw googleRefusal("UNIMPLEMENTED", "The emulator takes no compressed messages.");
  return body.subarray(PREFIX_BYTES);
}

function frame(message: Uint8Array): Buffer {
  const framed = Buffer.allocUnsafe(PREFIX_BYTES + message.length);
  framed[0] = 0;
  framed.writeUInt32BE(message.length, 1);
  framed.set(message, PREFIX_BYTES);
  return framed;
}
