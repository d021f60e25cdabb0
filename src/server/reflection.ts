import type { Server, ServerDuplexStream } from "@grpc/grpc-js";
import { encodedMethod } from "./protocol.ts";

/** Encoded requests come in, encoded answers go out. */
export type ReflectionStream = ServerDuplexStream<Buffer, Buffer>;

/** The versions that clients ask for; grpcurl tries the newer one first. */
export const REFLECTION_PATHS = [
  "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
  "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
] as const;

/**
 * Serves reflection, so that grpcurl and the like work without the proto file. What it takes to answer, a parser of
 * proto files among it, is loaded when somebody asks: hardly any server is ever asked.
 */
export function addReflection(server: Server): void {
  for (const path of REFLECTION_PATHS) {
    server.addService(
      { ServerReflectionInfo: encodedMethod(path, "both_stream") },
      { ServerReflectionInfo: (stream: ReflectionStream) => reflect(path, stream) },
    );
  }
}

/** What is written before the answer is ready waits in the stream, which grpc-js bounds. */
function reflect(path: string, stream: ReflectionStream): void {
  import("./reflection-answers.ts")
    .then(({ answerReflection }) => answerReflection(path, stream))
    .catch((thrown: unknown) => stream.destroy(thrown instanceof Error ? thrown : new Error(String(thrown))));
}
