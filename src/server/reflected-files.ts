import { join } from "node:path";
import { loadSync, type PackageDefinition } from "@grpc/proto-loader";
import descriptor from "protobufjs/ext/descriptor/index.js";
import { PROTO_FOLDER } from "../package-files.ts";

type Message = descriptor.IDescriptorProto;

const { FileDescriptorProto } = descriptor;
const FILES = ["keyservice.proto", "grpc/health/v1/health.proto"];

/** What reflection tells of: SOPS' protocol and grpc.health.v1, with the names of the proto files. */
export function loadReflectedFiles(): PackageDefinition {
  return withValidMapEntries(
    loadSync(
      FILES.map((file) => join(PROTO_FOLDER, file)),
      { keepCase: true },
    ),
  );
}

/**
 * The definition with descriptors that other languages' libraries take.
 *
 * protobufjs names the entry type of a map `Context` where the specification wants `ContextEntry`
 * (https://protobuf.dev/programming-guides/proto3/#backwards), and Go's library refuses the whole file for it.
 */
function withValidMapEntries(definition: PackageDefinition): PackageDefinition {
  const mended = Object.entries(definition).map(([name, entry]) => {
    const files = entry["fileDescriptorProtos"];
    return [name, Array.isArray(files) ? { ...entry, fileDescriptorProtos: files.map(mendFile) } : entry];
  });
  return Object.fromEntries(mended);
}

function mendFile(bytes: Buffer): Buffer {
  const file = FileDescriptorProto.decode(bytes) as descriptor.IFileDescriptorProto;
  const messageType = (file.messageType ?? []).map(mendMessage);
  return Buffer.from(FileDescriptorProto.encode({ ...file, messageType }).finish());
}

function mendMessage(message: Message): Message {
  const entries = new Set(
    (message.nestedType ?? []).filter(({ options }) => options?.mapEntry).map(({ name }) => name),
  );
  return {
    ...message,
    nestedType: (message.nestedType ?? []).map((nested) =>
      entries.has(nested.name) ? { ...nested, name: `${nested.name}Entry` } : mendMessage(nested),
    ),
    field: (message.field ?? []).map((field) =>
      entries.has(field.typeName) ? { ...field, typeName: `${field.typeName}Entry` } : field,
    ),
  };
}
