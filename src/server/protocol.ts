import { fileURLToPath } from "node:url";
import type { ServiceDefinition, UntypedServiceImplementation } from "@grpc/grpc-js";
import { loadSync, type PackageDefinition } from "@grpc/proto-loader";
import { protoPath as healthProtoFile } from "grpc-health-check";
import type { SopsKey } from "../backends/sops-key.ts";
import { KeyServiceError } from "../core/errors.ts";
import { withValidMapEntries } from "./reflected-files.ts";

/** The proto file, beside `src/` in a checkout and beside `dist/` in the package. */
const PROTO_FILE = fileURLToPath(new URL("../../proto/keyservice.proto", import.meta.url));

export const SERVICE_NAME = "KeyService";

/** Field for field what the proto says; with `oneofs`, `keyType` names the member that is set. */
export interface KeyMessage {
  readonly keyType?: string;
  readonly kmsKey?: { readonly arn: string };
  readonly pgpKey?: { readonly fingerprint: string };
  readonly gcpKmsKey?: { readonly resourceId: string };
  readonly azureKeyvaultKey?: { readonly vaultUrl: string; readonly name: string; readonly version: string };
  readonly vaultKey?: { readonly vaultAddress: string; readonly enginePath: string; readonly keyName: string };
  readonly ageKey?: { readonly recipient: string };
  readonly hckmsKey?: { readonly keyId: string };
}

export interface EncryptRequest {
  readonly key?: KeyMessage | null;
  readonly plaintext: Buffer;
}

export interface DecryptRequest {
  readonly key?: KeyMessage | null;
  readonly ciphertext: Buffer;
}

export interface EncryptResponse {
  readonly ciphertext: Buffer;
}

export interface DecryptResponse {
  readonly plaintext: Buffer;
}

export interface Protocol {
  readonly packageDefinition: PackageDefinition;
  /** What reflection tells of: this protocol and grpc.health.v1. */
  readonly reflected: PackageDefinition;
  readonly keyService: ServiceDefinition<UntypedServiceImplementation>;
}

/** Reads the proto file: a few milliseconds, once at start. */
export function loadProtocol(): Protocol {
  const packageDefinition = loadSync(PROTO_FILE, { defaults: true, oneofs: true, bytes: Buffer });
  return {
    packageDefinition,
    // With the names of the proto file, not those of JavaScript.
    reflected: withValidMapEntries(loadSync([PROTO_FILE, healthProtoFile], { keepCase: true })),
    keyService: packageDefinition[SERVICE_NAME] as Protocol["keyService"],
  };
}

/** @throws KeyServiceError `key_type_unsupported` where no member that we know is set. */
export function decodeKey(message: KeyMessage | null | undefined): SopsKey {
  const key = message ?? {};
  if (key.gcpKmsKey) return { type: "gcp_kms", ...key.gcpKmsKey };
  return decodeOtherKey(key);
}

function decodeOtherKey(key: KeyMessage): SopsKey {
  if (key.kmsKey) return { type: "aws_kms", arn: key.kmsKey.arn };
  if (key.pgpKey) return { type: "pgp", ...key.pgpKey };
  if (key.azureKeyvaultKey) return { type: "azure_keyvault", ...key.azureKeyvaultKey };
  if (key.vaultKey) return { type: "vault", ...key.vaultKey };
  if (key.ageKey) return { type: "age", ...key.ageKey };
  if (key.hckmsKey) return { type: "hckms", ...key.hckmsKey };
  throw new KeyServiceError("key_type_unsupported", {
    problem: "the request names no key of a kind that sops-keyd knows",
    remedy: "if your sops is newer than this sops-keyd, update sops-keyd",
  });
}
