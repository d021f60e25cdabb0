/** Makes load on a key service, half encrypts and half decrypts: `socket-driver.ts SOCKET`, told what to do over its channel. */
import { type Connection, type Exchange, openConnection } from "./connection.ts";
import { grpcMessage, type PreparedCall, prepareCall, protobufField } from "./frames.ts";
import { KEY, keepInFlight, type LoadRequest, type LoadResult, PLAINTEXT, serveLoad } from "./load.ts";

const [socket = ""] = process.argv.slice(2);

/** `Key { gcp_kms_key { resource_id } }`. */
const key = protobufField(1, protobufField(3, protobufField(1, Buffer.from(KEY))));

function prepare(method: "Encrypt" | "Decrypt", payload: Buffer): PreparedCall {
  return prepareCall(`/KeyService/${method}`, Buffer.concat([key, protobufField(2, payload)]));
}

const encrypt = prepare("Encrypt", PLAINTEXT);
const decrypt = prepare("Decrypt", Buffer.from(PLAINTEXT.toString("base64")));

/** No two calls have the same data key: identical ones may be answered by one call of Cloud KMS. */
function exchangeOf(number: number): Exchange {
  const plaintext = Buffer.from(PLAINTEXT);
  plaintext.writeUInt32BE(process.pid, 0);
  plaintext.writeUInt32BE(number, 4);
  // The upstream's ciphertext is the plaintext; on the wire of SOPS it is base64.
  const ciphertext = Buffer.from(plaintext.toString("base64"));
  const encrypts = number % 2 === 0;
  return {
    call: encrypts ? encrypt : decrypt,
    payload: encrypts ? plaintext : ciphertext,
    answer: grpcMessage(protobufField(1, encrypts ? ciphertext : plaintext)),
  };
}

let number = 0;

async function make(request: LoadRequest): Promise<LoadResult> {
  const count = Math.min(request.connections, request.inFlight);
  const opening = Array.from({ length: count }, () => openConnection(socket));
  const connections: readonly Connection[] = await Promise.all(opening);
  try {
    return await keepInFlight(request, async () => {
      number += 1;
      await connections[number % count]?.perform(exchangeOf(number));
    });
  } finally {
    for (const connection of connections) connection.close();
  }
}

serveLoad(make);
