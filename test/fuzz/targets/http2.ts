import assert from "node:assert/strict";
import { connect } from "node:net";
import type { Caller } from "../../../src/access/caller.ts";
import { systemClock } from "../../../src/core/clock.ts";
import type { KeyServiceError } from "../../../src/core/errors.ts";
import { startServer } from "../../../src/server/server.ts";
import { createKeyClient, type KeyClient } from "../../fakes/key-client.ts";
import { loadKeyService } from "../../fakes/key-messages.ts";
import { callBytes } from "../../fakes/raw-call.ts";
import { serverLimits, TCP_LISTENER } from "../../unit/server/limits.ts";
import type { Target } from "../harness/target.ts";

const KEY = { gcpKmsKey: { resourceId: "projects/p/locations/global/keyRings/r/cryptoKeys/k" } };
const ANSWER = Buffer.from("answer");
const PATH = "/KeyService/Encrypt";
/** A server that keeps a connection open waits for more: then what came is all. */
const QUIET_MS = 15;
/** How often it is seen whether others are still served. */
const CHECK_EVERY = 50;

/** Whatever comes by a TCP connection to a listener. */
export const http2: Target = {
  name: "http2",
  dictionary: [
    "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "\x00\x00\x00\x04\x00\x00\x00\x00\x00",
    "\x00\x00\x00\x04\x01\x00\x00\x00\x00",
    "\x00\x00\x04\x03\x00\x00\x00\x00\x01\x00\x00\x00\x08",
    "\x00\x00\x08\x06\x00\x00\x00\x00\x00",
    "\x00\x00\x01",
    "\x00\x00\x00",
    "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "grpc-timeout",
    "1n",
    "99999999H",
    "authorization",
    "Bearer ",
    PATH,
    "/KeyService/Decrypt",
    ":path",
    "/grpc.health.v1.Health/Watch",
    "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
    "content-type",
    "application/grpc",
    "\x16\x03\x01",
  ],
  maxBytes: 2000,
  async open() {
    const seen: string[] = [];
    const answer = async (key: object, payload: Buffer) => {
      assert.ok(Buffer.isBuffer(payload), "a payload that is none");
      seen.push(JSON.stringify(key));
      return Buffer.from(ANSWER);
    };
    const service = {
      encrypt: answer,
      decrypt: answer,
      refused: (_operation: string, _key: unknown, _caller: Caller, error: KeyServiceError) => seen.push(error.code),
    };
    const limits = { ...serverLimits(), maxConnections: 64, drainMs: 100, handshakeMs: 200 };
    const server = await startServer([TCP_LISTENER], limits, service, systemClock);
    const [address = ""] = server.addresses;
    const client = createKeyClient(address);
    let runs = 0;
    return {
      async run(input) {
        seen.length = 0;
        const received = await exchange(address, input);
        runs += 1;
        if (runs % CHECK_EVERY === 0) await expectServed(client);
        return `${seen.slice(0, 3).map((each) => each.slice(0, 12))} ${describe(received)}`;
      },
      samples: [goodCall(PATH), goodCall("/KeyService/Decrypt"), goodCall("/grpc.health.v1.Health/Check")],
      async close() {
        client.close();
        await server.drain();
      },
    };
  },
};

function goodCall(path: string): Buffer {
  const { requestSerialize } = loadKeyService().Encrypt;
  return callBytes(path, [], requestSerialize({ key: KEY, plaintext: Buffer.from("data key") }));
}

async function expectServed(client: KeyClient): Promise<void> {
  assert.deepEqual(await client.encrypt(KEY, Buffer.from("data key"), { deadline: Date.now() + 15_000 }), ANSWER);
}

/** All that the server says until it ends the connection, or says no more. */
function exchange(address: string, input: Buffer): Promise<Buffer> {
  const { hostname, port } = new URL(address.replace("tcp:", "http:"));
  const { promise, resolve } = Promise.withResolvers<Buffer>();
  const received: Buffer[] = [];
  const socket = connect(Number(port), hostname);
  socket.setTimeout(QUIET_MS, () => socket.destroy());
  socket.on("data", (bytes: Buffer) => received.push(bytes));
  // A reset is an answer like any other.
  socket.on("error", () => {});
  socket.on("close", () => resolve(Buffer.concat(received)));
  socket.write(input);
  return promise;
}

/** The types of the frames that came. */
function describe(received: Buffer): string {
  const types: number[] = [];
  for (let at = 0; at + 9 <= received.length && types.length < 12; at += 9 + received.readUIntBE(at, 3)) {
    types.push(received[at + 3] ?? 0);
  }
  return types.join(",");
}
