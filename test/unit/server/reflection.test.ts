import assert from "node:assert/strict";
import { once } from "node:events";
import { after, describe, test } from "node:test";
import { Client, credentials, type ServiceDefinition, status } from "@grpc/grpc-js";
import descriptor from "protobufjs/ext/descriptor/index.js";
import { systemClock } from "../../../src/core/clock.ts";
import { loadProtocol } from "../../../src/server/protocol.ts";
import { addReflection } from "../../../src/server/reflection.ts";
import { startServer } from "../../../src/server/server.ts";
import { serverLimits, TCP_LISTENER } from "./limits.ts";

interface Answer {
  readonly listServicesResponse?: { readonly service: readonly { readonly name: string }[] };
  readonly fileDescriptorResponse?: { readonly fileDescriptorProto: readonly Buffer[] };
  readonly errorResponse?: { readonly errorCode: number };
}

/** The method of the library's own definition, taken from what it registers. */
function reflectionMethod() {
  const added: ServiceDefinition[] = [];
  const server = { addService: (definition: ServiceDefinition) => added.push(definition) };
  addReflection(server as never, loadProtocol().reflected);
  return added[0]?.["ServerReflectionInfo"] ?? assert.fail("no method was registered");
}

async function ask(address: string, request: object): Promise<Answer> {
  const client = new Client(address.replace("tcp://", ""), credentials.createInsecure());
  const { path, requestSerialize, responseDeserialize } = reflectionMethod();
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
    { encrypt: refuse, decrypt: refuse },
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

  test("does not know what is not there", async () => {
    const { errorResponse } = await ask(address, { fileContainingSymbol: "NoSuchService" });
    assert.equal(errorResponse?.errorCode, status.NOT_FOUND);
  });
});
