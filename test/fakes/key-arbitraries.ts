import fc from "fast-check";
import type { SopsKey } from "../../src/backends/sops-key.ts";
import type { KeyMessage } from "./key-messages.ts";

/** A key as protobufjs has it, and as we do. */
export interface SameKey {
  readonly message: KeyMessage;
  readonly key: SopsKey;
}

const text = fc.oneof(fc.string({ unit: "grapheme", maxLength: 300 }), fc.constant(""));

/** All kinds of key; texts of one and two bytes of length, empty ones among them. */
export const anyKey: fc.Arbitrary<SameKey> = fc.oneof(
  text.map((resourceId) => ({ message: { gcpKmsKey: { resourceId } }, key: { type: "gcp_kms", resourceId } as const })),
  text.map((arn) => ({
    message: { kmsKey: { arn, role: "r", context: { a: "b" }, awsProfile: "p" } },
    key: { type: "aws_kms", arn } as const,
  })),
  text.map((fingerprint) => ({ message: { pgpKey: { fingerprint } }, key: { type: "pgp", fingerprint } as const })),
  fc.record({ vaultUrl: text, name: text, version: text }).map((azureKeyvaultKey) => ({
    message: { azureKeyvaultKey },
    key: { type: "azure_keyvault", ...azureKeyvaultKey } as const,
  })),
  fc.record({ vaultAddress: text, enginePath: text, keyName: text }).map((vaultKey) => ({
    message: { vaultKey },
    key: { type: "vault", ...vaultKey } as const,
  })),
  text.map((recipient) => ({ message: { ageKey: { recipient } }, key: { type: "age", recipient } as const })),
  text.map((keyId) => ({ message: { hckmsKey: { keyId } }, key: { type: "hckms", keyId } as const })),
);

/** Payloads whose lengths need one byte and two. */
export const anyPayload: fc.Arbitrary<Buffer> = fc
  .uint8Array({ maxLength: 400 })
  .map((bytes) => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
