/** Makes load on a key service, half encrypts and half decrypts: `socket-driver.ts SOCKET`, told what to do over its channel. */
import { type Connection, type Exchange, openConnection } from "./connection.ts";
import { grpcMessage, prepareCall, protobufField } from "./frames.ts";
import { KEY, keepInFlight, type LoadRequest, type LoadResult, PLAINTEXT, serveLoad } from "./load.ts";

const [socket = ""] = process.argv.slice(2);

/** `Key { gcp_kms_key { resource_id } }`. */
const key = protobufField(1, protobufField(3, protobufField(1, Buffer.from(KEY))));

/** Encrypt and Decrypt are alike: a key and bytes in, bytes out. The upstream's ciphertext is the plaintext. */
function exchangeOf(method: "Encrypt" | "Decrypt", payload: Buffer, answer: Buffer): Exchange {
  const message = Buffer.concat([key, protobufField(2, payload)]);
  return {
    call: prepareCall(`/KeyService/${method}`, message),
    answer: grpcMessage(protobufField(1, answer)),
  };
}

/** On the wire of SOPS a ciphertext is base64. */
const ciphertext = Buffer.from(PLAINTEXT.toString("base64"));
const encrypt = exchangeOf("Encrypt", PLAINTEXT, ciphertext);
const decrypt = exchangeOf("Decrypt", ciphertext, PLAINTEXT);

async function make(request: LoadRequest): Promise<LoadResult> {
  const count = Math.min(request.connections, request.inFlight);
  const opening = Array.from({ length: count }, () => openConnection(socket));
  const connections: readonly Connection[] = await Promise.all(opening);
  let turn = 0;
  try {
    return await keepInFlight(request, async () => {
      turn += 1;
      await connections[turn % count]?.perform(turn % 2 === 0 ? encrypt : decrypt);
    });
  } finally {
    for (const connection of connections) connection.close();
  }
}

serveLoad(make);
