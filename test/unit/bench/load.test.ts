import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { Server, ServerCredentials, type sendUnaryData } from "@grpc/grpc-js";
import { openConnection } from "../../../bench/load/connection.ts";
import { grpcMessage, prepareCall, protobufField } from "../../../bench/load/frames.ts";
import { keepInFlight, percentiles } from "../../../bench/load/load.ts";

const identity = (bytes: Buffer): Buffer => bytes;
const METHOD = {
  path: "/KeyService/Encrypt",
  requestStream: false,
  responseStream: false,
  requestSerialize: identity,
  requestDeserialize: identity,
  responseSerialize: identity,
  responseDeserialize: identity,
};

/** A grpc-js server on a unix socket that does what it is told with each request. */
async function onServer(
  answer: (request: Buffer, done: sendUnaryData<Buffer>) => void,
  body: (socket: string) => Promise<void>,
): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), "keyd-load-"));
  const socket = join(directory, "server.sock");
  const server = new Server();
  server.addService(
    { Encrypt: METHOD },
    { Encrypt: (call: { request: Buffer }, done: sendUnaryData<Buffer>) => answer(call.request, done) },
  );
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.bindAsync(`unix:${socket}`, ServerCredentials.createInsecure(), (error) =>
    error === null ? resolve() : reject(error),
  );
  await promise;
  try {
    await body(socket);
  } finally {
    server.forceShutdown();
    rmSync(directory, { recursive: true, force: true });
  }
}

const PAYLOAD = Buffer.from("plain");
const REQUEST = protobufField(2, PAYLOAD);
const ANSWER = protobufField(1, Buffer.from("cipher"));
const EXCHANGE = {
  call: prepareCall(METHOD.path, protobufField(2, Buffer.from("?????"))),
  payload: PAYLOAD,
  answer: grpcMessage(ANSWER),
};

test("a call arrives at a real gRPC server as it was prepared, and many at once are told apart", async () => {
  const seen: Buffer[] = [];
  await onServer(
    (request, done) => {
      seen.push(request);
      done(null, ANSWER);
    },
    async (socket) => {
      const connection = await openConnection(socket);
      await Promise.all(Array.from({ length: 50 }, () => connection.perform(EXCHANGE)));
      connection.close();
    },
  );
  assert.equal(seen.length, 50);
  assert.ok(seen.every((request) => request.equals(REQUEST)));
});

test("an error and a wrong answer are failures of the call", async () => {
  let wrong = false;
  await onServer(
    (_, done) => {
      if (wrong) done(null, protobufField(1, Buffer.from("ciphex")));
      else done({ code: 14, details: "no" });
    },
    async (socket) => {
      const connection = await openConnection(socket);
      await assert.rejects(connection.perform(EXCHANGE), /answered with an error/);
      wrong = true;
      await assert.rejects(connection.perform(EXCHANGE), /answered with/);
      connection.close();
    },
  );
});

test("calls in flight fail when the server goes away", async () => {
  const arrived = Promise.withResolvers<void>();
  let failure: Promise<void> | undefined;
  await onServer(
    () => arrived.resolve(),
    async (socket) => {
      const connection = await openConnection(socket);
      failure = assert.rejects(connection.perform(EXCHANGE));
      await arrived.promise;
    },
  );
  await failure;
});

test("load keeps the number in flight, stops after its calls and counts what failed", async () => {
  let open = 0;
  let most = 0;
  let begun = 0;
  const request = { inFlight: 4, connections: 1, seconds: 60, maxCalls: 20 };
  const result = await keepInFlight(request, async () => {
    begun += 1;
    open += 1;
    most = Math.max(most, open);
    const place = begun;
    await setImmediate();
    open -= 1;
    if (place % 5 === 0) throw new Error(`call ${place} failed`);
  });
  assert.equal(most, 4);
  assert.equal(result.calls, 16);
  assert.equal(result.failed, 4);
  assert.equal(result.firstFailure, "call 5 failed");
});

test("percentiles are those of the sorted latencies", () => {
  const latencies = Array.from({ length: 1_000 }, (_, index) => 1_000 - index);
  assert.deepEqual(percentiles(latencies), { p50Ms: 501, p99Ms: 991 });
});
