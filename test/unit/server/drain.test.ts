import assert from "node:assert/strict";
import { once } from "node:events";
import { createConnection } from "node:net";
import { type TestContext, test } from "node:test";
import { DEFAULT_LIMITS } from "../../../src/config/defaults.ts";
import type { CallContext, KeyService } from "../../../src/key-service.ts";
import { type KeyServer, startServer } from "../../../src/server/server.ts";
import { createFakeClock, type FakeClock } from "../../fakes/clock.ts";
import { createKeyClient, type KeyClient } from "../../fakes/key-client.ts";

interface Setup {
  readonly server: KeyServer;
  readonly client: KeyClient;
  readonly clock: FakeClock;
  /** The call that has come in, and the way to answer it. */
  readonly arrived: Promise<CallContext>;
  readonly answer: (bytes: Buffer) => void;
}

async function setUp(t: TestContext): Promise<Setup> {
  const clock = createFakeClock();
  const [arrived, reply] = [Promise.withResolvers<CallContext>(), Promise.withResolvers<Buffer>()];
  const decrypt: KeyService["decrypt"] = (_key, _payload, context) => {
    arrived.resolve(context);
    return reply.promise;
  };
  const listener = { kind: "tcp", host: "127.0.0.1", port: 0, insecure: false, caller: undefined } as const;
  const server = await startServer([listener], DEFAULT_LIMITS, { encrypt: decrypt, decrypt, refused() {} }, clock);
  const client = createKeyClient(server.addresses[0] ?? "");
  t.after(() => client.close());
  return { server, client, clock, arrived: arrived.promise, answer: reply.resolve };
}

const KEY = { gcpKmsKey: { resourceId: "projects/p" } };

test("draining is over when the call in flight has been answered", { timeout: 10_000 }, async (t) => {
  const { server, client, arrived, answer } = await setUp(t);
  const call = client.decrypt(KEY, Buffer.from("sealed"));
  await arrived;
  let isOver = false;
  const drained = server.drain().finally(() => {
    isOver = true;
  });
  // A refused connection comes by the same event loop, after whatever an early end would have brought.
  const { hostname, port } = new URL(server.addresses[0] ?? "");
  await assert.rejects(once(createConnection(Number(port), hostname), "connect"), { code: "ECONNREFUSED" });
  assert.equal(isOver, false);
  answer(Buffer.from("opened"));
  assert.deepEqual(await call, Buffer.from("opened"));
  assert.equal(await drained, true);
});

test("draining ends the calls in flight when its time is over, and says so", { timeout: 10_000 }, async (t) => {
  const { server, client, clock, arrived } = await setUp(t);
  const call = client.decrypt(KEY, Buffer.from("sealed"));
  const { signal } = await arrived;
  const drained = server.drain();
  clock.advance(DEFAULT_LIMITS.drainMs);
  await assert.rejects(call);
  assert.equal(await drained, false);
  assert.equal(signal.aborted, true);
});
