import assert from "node:assert/strict";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { Pool } from "undici";
import { createRenewedDispatcher } from "../../../src/kms/renewed-dispatcher.ts";
import { exchange } from "../../../src/kms/rest-exchange.ts";
import { createFakeClock } from "../../fakes/clock.ts";

/** A server that answers when it is told to, and a dispatcher to it that is renewed every second of a fake clock. */
async function setUp() {
  const waiting: ServerResponse[] = [];
  let connections = 0;
  let arrived = Promise.withResolvers<void>();
  const server = createServer((_request, response) => {
    waiting.push(response);
    arrived.resolve();
  });
  server.on("connection", () => {
    connections += 1;
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const clock = createFakeClock();
  const dispatcher = createRenewedDispatcher(() => new Pool(origin, { connections: 4 }), 1_000, clock);
  return {
    clock,
    dispatcher,
    connections: () => connections,
    ask: () => exchange(dispatcher, { origin, path: "/", method: "GET" }, new AbortController().signal),
    async arrival() {
      await arrived.promise;
      arrived = Promise.withResolvers<void>();
    },
    answerAll() {
      for (const response of waiting.splice(0)) response.end("ok");
    },
    close: () => server.close(),
  };
}

test("a request that is under way when its dispatcher is replaced is answered all the same", async (t) => {
  const { ask, arrival, answerAll, clock, connections, dispatcher, close } = await setUp();
  t.after(close);
  const early = ask();
  await arrival();
  clock.advance(1_000);
  const late = ask();
  await arrival();
  assert.equal(connections(), 2);
  answerAll();
  assert.deepEqual([(await early).body.toString(), (await late).body.toString()], ["ok", "ok"]);
  await dispatcher.destroy();
});

test("to destroy it ends what is under way on the old one as well", async (t) => {
  const { ask, arrival, clock, dispatcher, close } = await setUp();
  t.after(close);
  const early = assert.rejects(ask());
  await arrival();
  clock.advance(1_000);
  const late = assert.rejects(ask());
  await arrival();
  await dispatcher.destroy();
  await Promise.all([early, late]);
});

test("it is kept for as long as it is not old", async (t) => {
  const { ask, arrival, answerAll, clock, connections, dispatcher, close } = await setUp();
  t.after(close);
  const askAndAnswer = async () => {
    const answered = ask();
    await arrival();
    answerAll();
    await answered;
  };
  // undici opens a second one while the first is busy for the last time in its turn.
  await askAndAnswer();
  await askAndAnswer();
  const opened = connections();
  clock.advance(999);
  await askAndAnswer();
  assert.equal(connections(), opened);
  clock.advance(1);
  await askAndAnswer();
  assert.ok(connections() > opened);
  await dispatcher.destroy();
});
