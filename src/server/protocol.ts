/** `keyservice.proto` has no package, so this is its whole name. */
export const SERVICE_NAME = "KeyService";

/** What grpc-js wants to know of a method. */
export interface EncodedMethod {
  readonly path: string;
  readonly requestStream: boolean;
  readonly responseStream: boolean;
  readonly requestSerialize: (message: Buffer) => Buffer;
  readonly requestDeserialize: (bytes: Buffer) => Buffer;
  readonly responseSerialize: (message: Buffer) => Buffer;
  readonly responseDeserialize: (bytes: Buffer) => Buffer;
}

const asItIs = (bytes: Buffer): Buffer => bytes;

/**
 * A method whose messages come and go encoded: who reads a message can then wipe it, and say what is wrong with it.
 *
 * @param path such as `/KeyService/Encrypt`
 */
export function encodedMethod(path: string, kind: "unary" | "server_stream" | "both_stream"): EncodedMethod {
  return {
    path,
    requestStream: kind === "both_stream",
    responseStream: kind !== "unary",
    requestSerialize: asItIs,
    requestDeserialize: asItIs,
    responseSerialize: asItIs,
    responseDeserialize: asItIs,
  };
}

export const KEY_SERVICE: Readonly<Record<"Encrypt" | "Decrypt", EncodedMethod>> = {
  Encrypt: encodedMethod(`/${SERVICE_NAME}/Encrypt`, "unary"),
  Decrypt: encodedMethod(`/${SERVICE_NAME}/Decrypt`, "unary"),
};
