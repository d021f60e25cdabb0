import assert from "node:assert/strict";
import { once } from "node:events";
import { after, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { Client, credentials, type ServiceDefinition, status } from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import descriptor from "protobufjs/ext/descriptor/index.js";
import { systemClock } from "../../../src/core/clock.ts";
import { REFLECTION_PATHS } from "../../../src/server/reflection.ts";
import { startServer } from "../../../src/server/server.ts";
import { serverLimits, TCP_LISTENER } from "./limits.ts";

interface Answer {
  readonly listServicesResponse?: { readonly service: readonly { readonly name: string }[] };
  readonly fileDescriptorResponse?: { readonly fileDescriptorProto: readonly Buffer[] };
  readonly errorResponse?: { readonly errorCode: number };
}

const PROTO = fileURLToPath(
  import.meta.resolve("@grpc/reflection").replace(/src\/.*$/, "proto/grpc/reflection/v1/reflection.proto"),
);
const method = (loadSync(PROTO)["grpc.reflection.v1.ServerReflection"] as ServiceDefinition)["ServerReflectionInfo"];

async function ask(address: string, request: object, path: string = REFLECTION_PATHS[0]): Promise<Answer> {
  const client = new Client(address.replace("tcp://", ""), credentials.createInsecure());
  const { requestSerialize, responseDeserialize } = method ?? assert.fail("no such method");
  const stream = client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize);
  stream.write(request);
  const [answer] = await once(stream, "data");
  stream.end();
  client.close();
  return answer as Answer;
}

describe("reflection", async () => {
  const refuse = () => Promise.reject(new Error("no call is made"));
  const server = await startServer(
    [TCP_LISTENER],
    { ...serverLimits(), maxConnections: 10 },
    { encrypt: refuse, decrypt: refuse, refused() {} },
    systemClock,
  );
  const [address = ""] = server.addresses;
  after(() => server.drain());

  test("lists the services by the names that clients ask for", async () => {
    const { listServicesResponse } = await ask(address, { listServices: "*" });
    const names = listServicesResponse?.service.map(({ name }) => name).sort();
    assert.deepEqual(names, ["KeyService", "grpc.health.v1.Health"]);
  });

  test("gives a descriptor whose names are those of the proto file and whose maps are valid", async () => {
    const { fileDescriptorResponse } = await ask(address, { fileContainingSymbol: "KeyService.Encrypt" });
    const [bytes = assert.fail("no file")] = fileDescriptorResponse?.fileDescriptorProto ?? [];
    const file = descriptor.FileDescriptorProto.decode(bytes) as descriptor.IFileDescriptorProto;
    const key = file.messageType?.find(({ name }) => name === "KmsKey");
    assert.deepEqual(
      key?.field?.map(({ name }) => name),
      ["arn", "role", "context", "aws_profile"],
    );
    assert.deepEqual(
      key?.nestedType?.map(({ name }) => name),
      ["ContextEntry"],
    );
    assert.equal(key?.field?.[2]?.typeName, "ContextEntry");
  });

  test("answers those who ask for the version before as well", async () => {
    const { listServicesResponse } = await ask(address, { listServices: "*" }, REFLECTION_PATHS[1]);
    assert.equal(listServicesResponse?.service.length, 2);
  });

  test("refuses bytes that are no request, and serves on", async () => {
    const client = new Client(address.replace("tcp://", ""), credentials.createInsecure());
    const raw = (bytes: Buffer) => bytes;
    const stream = client.makeBidiStreamRequest(REFLECTION_PATHS[0], raw, raw);
    stream.resume();
    stream.write(Buffer.of(0x7f));
    const [error] = await once(stream, "error");
    client.close();
    assert.equal(error.code, status.INVALID_ARGUMENT);
    assert.notEqual(await ask(address, { listServices: "*" }), undefined);
  });

  test("does not know what is not there", async () => {
    const { errorResponse } = await ask(address, { fileContainingSymbol: "NoSuchService" });
    assert.equal(errorResponse?.errorCode, status.NOT_FOUND);
  });
});
