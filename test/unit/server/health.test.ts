import assert from "node:assert/strict";
import { once } from "node:events";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { Client, credentials, status } from "@grpc/grpc-js";
import { loadSync, type ServiceDefinition } from "@grpc/proto-loader";
import { systemClock } from "../../../src/core/clock.ts";
import { startServer } from "../../../src/server/server.ts";
import { serverLimits, TCP_LISTENER } from "./limits.ts";

/** gRPC's own encoding of the service. */
const PROTO = fileURLToPath(new URL("../../../proto/grpc/health/v1/health.proto", import.meta.url));
const METHODS = loadSync(PROTO, { enums: String, defaults: true })["grpc.health.v1.Health"] as ServiceDefinition;

async function setUp(t: TestContext) {
  const refuse = () => Promise.reject(new Error("no call is made"));
  const server = await startServer(
    [TCP_LISTENER],
    serverLimits(),
    { encrypt: refuse, decrypt: refuse, refused() {} },
    systemClock,
  );
  const client = new Client((server.addresses[0] ?? "").replace("tcp://", ""), credentials.createInsecure());
  t.after(() => {
    client.close();
    return server.drain();
  });
  const ask = (name: "Check" | "List", request: object): Promise<unknown> => {
    const { path, requestSerialize, responseDeserialize } = METHODS[name] ?? assert.fail();
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    client.makeUnaryRequest(path, requestSerialize, responseDeserialize, request, (error, answer) =>
      error === null ? resolve(answer) : reject(error),
    );
    return promise;
  };
  const watch = (service: string) => {
    const { path, requestSerialize, responseDeserialize } = METHODS["Watch"] ?? assert.fail();
    return client.makeServerStreamRequest(path, requestSerialize, responseDeserialize, { service });
  };
  return { server, ask, watch };
}

test("the server as a whole and SOPS' service are said to serve", async (t) => {
  const { ask } = await setUp(t);
  assert.deepEqual(await ask("Check", { service: "" }), { status: "SERVING" });
  assert.deepEqual(await ask("Check", { service: "KeyService" }), { status: "SERVING" });
  assert.deepEqual(await ask("List", {}), {
    statuses: { "": { status: "SERVING" }, KeyService: { status: "SERVING" } },
  });
});

test("a service that is not there is NOT_FOUND", async (t) => {
  const { ask } = await setUp(t);
  await assert.rejects(ask("Check", { service: "Other" }), { code: status.NOT_FOUND });
});

test("whoever watches hears at once how it is, and when it ends, and holds up no drain", async (t) => {
  const { server, watch } = await setUp(t);
  const stream = watch("");
  const heard: unknown[] = [];
  stream.on("data", (answer) => heard.push(answer));
  await once(stream, "data");
  assert.deepEqual(heard, [{ status: "SERVING" }]);
  const ended = once(stream, "end");
  assert.equal(await server.drain(), true);
  await ended;
  assert.deepEqual(heard, [{ status: "SERVING" }, { status: "NOT_SERVING" }]);
});

test("whoever watches what is not there is told so, and waits", async (t) => {
  const { watch } = await setUp(t);
  const stream = watch("Other");
  const [answer] = await once(stream, "data");
  assert.deepEqual(answer, { status: "SERVICE_UNKNOWN" });
  stream.cancel();
  await once(stream, "error");
});
