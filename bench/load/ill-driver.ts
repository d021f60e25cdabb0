/**
 * Makes load on a rule whose way to Cloud KMS is ill: `ill-driver.ts SOCKET PROJECT`, told what to do over its channel. Its
 * calls have pauses, so that it is the rule's trouble that is measured, not a flood; latencies are those of all answers.
 */
import { setTimeout as pause } from "node:timers/promises";
import { type Connection, openConnection } from "./connection.ts";
import { prepareCall, protobufField } from "./frames.ts";
import { keepInFlight, type LoadRequest, type LoadResult, percentiles, serveLoad } from "./load.ts";

const [socket = "", project = ""] = process.argv.slice(2);
const PAUSE_MS = 50;
const KEY = `projects/${project}/locations/global/keyRings/bench/cryptoKeys/bench`;

const key = protobufField(1, protobufField(3, protobufField(1, Buffer.from(KEY))));
const plaintext = Buffer.alloc(32);
const call = prepareCall("/KeyService/Encrypt", Buffer.concat([key, protobufField(2, plaintext)]));
/** Of a right answer nothing is asked but that it comes. */
const ANY_ANSWER = Buffer.alloc(0);

let number = 0;

async function make(request: LoadRequest): Promise<LoadResult> {
  const opening = Array.from({ length: request.connections }, () => openConnection(socket));
  const connections: readonly Connection[] = await Promise.all(opening);
  const latencies: number[] = [];
  try {
    const result = await keepInFlight(request, async () => {
      number += 1;
      const payload = Buffer.from(plaintext);
      payload.writeUInt32BE(number);
      const sentMs = performance.now();
      await connections[number % connections.length]?.perform({ call, payload, answer: ANY_ANSWER }).catch(() => {});
      latencies.push(performance.now() - sentMs);
      await pause(PAUSE_MS);
    });
    return { ...result, ...percentiles(latencies) };
  } finally {
    for (const connection of connections) connection.close();
  }
}

serveLoad(make);
