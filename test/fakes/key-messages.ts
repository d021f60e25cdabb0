import { fileURLToPath } from "node:url";
import { loadSync, type MethodDefinition } from "@grpc/proto-loader";

/** `Key` as JavaScript has it: one member is set. */
export interface KeyMessage {
  readonly kmsKey?: { readonly arn: string };
  readonly pgpKey?: { readonly fingerprint: string };
  readonly gcpKmsKey?: { readonly resourceId: string };
  readonly azureKeyvaultKey?: { readonly vaultUrl: string; readonly name: string; readonly version: string };
  readonly vaultKey?: { readonly vaultAddress: string; readonly enginePath: string; readonly keyName: string };
  readonly ageKey?: { readonly recipient: string };
  readonly hckmsKey?: { readonly keyId: string };
}

export interface EncryptResponse {
  readonly ciphertext: Buffer;
}

export interface DecryptResponse {
  readonly plaintext: Buffer;
}

/** The protocol as gRPC's own library reads it from the proto file: the peer of our own encoding. */
export function loadKeyService(): Readonly<Record<"Encrypt" | "Decrypt", MethodDefinition<object, object>>> {
  const file = fileURLToPath(new URL("../../proto/keyservice.proto", import.meta.url));
  const definition = loadSync(file, { defaults: true, oneofs: true, bytes: Buffer });
  return definition["KeyService"] as ReturnType<typeof loadKeyService>;
}
