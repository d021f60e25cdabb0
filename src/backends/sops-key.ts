/** A key-encryption key as SOPS names it: one member for each `key_type` of `proto/keyservice.proto`. */
export type SopsKey =
  | { readonly type: "gcp_kms"; readonly resourceId: string }
  | { readonly type: "aws_kms"; readonly arn: string }
  | { readonly type: "pgp"; readonly fingerprint: string }
  | { readonly type: "azure_keyvault"; readonly vaultUrl: string; readonly name: string; readonly version: string }
  | { readonly type: "vault"; readonly vaultAddress: string; readonly enginePath: string; readonly keyName: string }
  | { readonly type: "age"; readonly recipient: string }
  | { readonly type: "hckms"; readonly keyId: string };

export type GcpKmsKey = Extract<SopsKey, { type: "gcp_kms" }>;
export type UnsupportedKey = Exclude<SopsKey, GcpKmsKey>;

/** How a user would recognise the key in the sops file. */
export function describeKey(key: SopsKey): string {
  switch (key.type) {
    case "gcp_kms":
      return key.resourceId;
    case "aws_kms":
      return key.arn;
    case "pgp":
      return key.fingerprint;
    case "azure_keyvault":
      return `${key.vaultUrl}/keys/${key.name}/${key.version}`;
    case "vault":
      return `${key.vaultAddress}/v1/${key.enginePath}/keys/${key.keyName}`;
    case "age":
      return key.recipient;
    case "hckms":
      return key.keyId;
  }
}
