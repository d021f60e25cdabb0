/** Those who call are gone, are many, or speak no gRPC. */
import assert from "node:assert/strict";
import { connect } from "node:net";
import { openConnection } from "../../bench/load/connection.ts";
import { grpcMessage, prepareCall, protobufField } from "../../bench/load/frames.ts";
import { eventually, within } from "../e2e/harness/bounded.ts";
import { openFaultBench, SHOP_KEY } from "./harness/bench.ts";
import { GARBAGE } from "./harness/garbage.ts";
import { type NamedFault, openSockets, TRANSPORTS, testFault } from "./harness/withstand.ts";

const CONNECTIONS = 1000;
const STREAMS = 10;
const KEY = { gcpKmsKey: { resourceId: SHOP_KEY } };

const GONE: NamedFault = {
  fault: "client gone mid-call",
  promise: "its request to Cloud KMS ends with it, and others are served",
  sees: "nothing: nobody is there",
};
const MANY: NamedFault = {
  fault: "1,000 connections with 10 calls on each, at once",
  promise: "every call is right or told to come back, and all connections are let go",
  sees: "the right answer, or RESOURCE_EXHAUSTED: the limit that is full, and to try again in a moment",
};
const NO_CALL: NamedFault = {
  fault: "garbage frames from a client",
  promise: "that connection is cut, and others are served",
  sees: "the end of its connection",
};
const OVERSIZED: NamedFault = {
  fault: "oversized message from a client",
  promise: "refused with the bound, and the connection that it came by serves on",
  sees: "RESOURCE_EXHAUSTED: the size and the bound",
};

for (const transport of TRANSPORTS) {
  testFault(GONE, transport, async () => {
    await using bench = await openFaultBench({ transport });
    const { emulator, client, clock, wire } = bench;
    const timersBefore = clock.pendingTimers;
    emulator.admin.addFault({ kind: "hang", endpoint: "kms.decrypt", times: 1 });
    const gone = new AbortController();
    const call = client.decrypt(KEY, bench.ciphertext, { signal: gone.signal });
    await eventually(5_000, "Cloud KMS is asked", () => emulator.admin.faults().length === 0);
    assert.ok(clock.pendingTimers > timersBefore, "the call has a deadline");
    gone.abort();
    await assert.rejects(call, /CANCELLED/);
    await eventually(5_000, "nothing of the call is left", () => clock.pendingTimers === timersBefore);
    // HTTP/1.1 has no other end of a request than that of its connection; over HTTP/2 it is the stream's.
    if (transport === "rest") await eventually(5_000, "its request is ended", () => wire.open === 0);
    assert.ok((await bench.call("decrypt")).ok);
  });
}

testFault(MANY, undefined, async () => {
  await using bench = await openFaultBench();
  const socketsBefore = openSockets(/Pipe/);
  const opening = Array.from({ length: CONNECTIONS }, () => openConnection(bench.socketPath));
  const connections = await Promise.all(opening);
  const exchange = decryptOf(bench.ciphertext, bench.dataKey);
  const calls = connections.flatMap((connection) =>
    Array.from({ length: STREAMS }, () => connection.perform(exchange)),
  );
  const outcomes = await bench.drive(Promise.allSettled(calls));
  const failures = outcomes.flatMap((each) => (each.status === "rejected" ? [String(each.reason)] : []));
  // An error with a status. A wrong answer would be told as one as well.
  assert.deepEqual(
    failures.filter((failure) => failure !== "Error: answered with an error"),
    [],
  );
  assert.ok(outcomes.length - failures.length >= 1000, `${failures.length} of ${outcomes.length} failed`);
  for (const connection of connections) connection.close();
  await eventually(10_000, "the connections are let go", () => openSockets(/Pipe/) <= socketsBefore);
  assert.ok((await bench.call("decrypt")).ok);
});

for (const [what, bytes] of Object.entries(GARBAGE)) {
  testFault(NO_CALL, what, async () => {
    await using bench = await openFaultBench();
    const socket = connect(bench.socketPath);
    const closed = Promise.withResolvers<void>();
    socket.on("error", () => {}).once("close", () => closed.resolve());
    socket.resume();
    socket.write(bytes());
    assert.ok((await bench.call("decrypt")).ok);
    await within(5_000, "the connection is cut", closed.promise);
    await bench.assertBankIsServed();
  });
}

testFault(OVERSIZED, undefined, async () => {
  await using bench = await openFaultBench();
  await assert.rejects(bench.drive(bench.client.encrypt(KEY, Buffer.alloc(1024 * 1024))), /RESOURCE_EXHAUSTED.*131072/);
  assert.ok((await bench.call("decrypt")).ok);
});

/** A decrypt as sops makes it, and the only right answer. */
function decryptOf(ciphertext: Buffer, dataKey: Buffer) {
  const key = protobufField(1, protobufField(3, protobufField(1, Buffer.from(SHOP_KEY))));
  const message = Buffer.concat([key, protobufField(2, ciphertext)]);
  return {
    call: prepareCall("/KeyService/Decrypt", message),
    payload: ciphertext,
    answer: grpcMessage(protobufField(1, dataKey)),
  };
}
